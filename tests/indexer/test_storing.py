"""What becomes of photos that cannot be decoded, embedded or read while they are known already."""

import numpy as np
import pytest

from indexer.catalog.stamps import NEVER
from indexer.errors import DecoderLostError, ImageError, TooLargeError, UnreadableError
from indexer.workers.isolation import WorkerPool

FAILURES = [
    DecoderLostError("it took longer than 60 s to decode"),
    DecoderLostError("the decoder was killed (signal 9)", temporary=True),
    TooLargeError("it needs more than 2,048 MB to decode"),
    ImageError("damaged PNG: what a newer decoder makes of it"),
    UnreadableError("the file cannot be read: Input/output error"),
]


@pytest.fixture
def failing(monkeypatch):
    """Names of photos that fail in their worker, with the error of each."""
    errors, run = {}, WorkerPool.run

    def run_or_fail(pool, recipe, path, *rest):
        if path.name in errors:
            raise errors[path.name]
        return run(pool, recipe, path, *rest)

    monkeypatch.setattr(WorkerPool, "run", run_or_fail)
    return errors


def indexed(world, count=3):
    for seed in range(count):
        world.write(f"{seed}.png", seed)
    world.sync()
    return world.library.catalog.photo_at(world.photos / "1.png")


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: f"{type(error).__name__} {error}"[:40])
def test_a_failure_under_a_second_model_costs_the_photo_nothing_and_is_tried_again(world, other_model, failing, error):
    before = indexed(world)
    catalog, first = world.library.catalog, world.active
    vector = catalog.embedding_of(before.id, first.id)
    failing["1.png"] = error
    report = world.sync(embedder=other_model)
    assert (report.updated, report.failures) == (2, [(str(before.path), str(error))])
    assert report.temporary == [str(before.path)]
    assert world.active == first
    assert catalog.photo(before.id) == before
    np.testing.assert_array_equal(catalog.embedding_of(before.id, first.id), vector)
    second = catalog.model(other_model.name, other_model.fingerprint, other_model.dim)
    assert catalog.lacking(second.id).tolist() == [before.id]
    assert catalog.embedding_failures(second.id) == {before.id: str(error)}
    assert catalog.embedding_failures(first.id) == {}
    assert any(str(error).rstrip(".") in message for message in report.messages)
    assert world.sync().failed == 0  # the first model has nothing to do
    failing.clear()
    again = world.sync(embedder=other_model)
    assert (again.updated, again.failed) == (1, 0)
    assert world.active == second
    assert catalog.embedding_failures(second.id) == {}
    world.assert_agreement()


def test_a_picture_that_the_second_model_finds_nothing_in_keeps_the_first_ones_vector(world, other_model, monkeypatch):
    before = indexed(world, count=2)
    first, embed = world.active, other_model.embed_prepared

    def nothing_in_one(pixels):
        vectors = embed(pixels)
        if len(pixels) > 1:
            raise ValueError("one of them has no direction")
        nothing_in_one.calls += 1
        if nothing_in_one.calls == 2:
            raise ValueError("it has no direction")
        return vectors

    nothing_in_one.calls = 0
    monkeypatch.setattr(other_model, "embed_prepared", nothing_in_one)
    report = world.sync(embedder=other_model)
    assert (report.updated, report.failed) == (1, 1)
    assert world.active == first
    assert world.library.catalog.photo(before.id) == before
    (reason,) = world.library.catalog.embedding_failures(
        world.library.catalog.model(other_model.name, other_model.fingerprint, other_model.dim).id
    ).values()
    assert "finds nothing in this picture" in reason


def test_a_photo_that_cannot_be_read_after_it_was_touched_keeps_everything(world, failing, monkeypatch):
    before = indexed(world)
    before.path.touch()
    message = "the file cannot be read: Input/output error"
    failing["1.png"] = UnreadableError(message)

    def unreadable(path, **_):
        raise UnreadableError(message)

    with monkeypatch.context() as patched:
        patched.setattr("indexer.pictures.images.hash_file", unreadable)
        report = world.sync()
    assert report.failures == [(str(before.path), message)]
    assert world.library.catalog.photo(before.id) == before._replace(mtime_ns=NEVER)  # it is tried again
    failing.clear()
    assert world.sync().failed == 0
    assert world.library.catalog.photo(before.id).content_hash == before.content_hash
    world.assert_agreement()


def test_a_changed_file_that_fails_still_loses_what_was_made_of_the_old_one(world, failing):
    before = indexed(world)
    world.write("1.png", 9)
    failing["1.png"] = ImageError("damaged PNG")
    assert world.sync().failed == 1
    assert world.library.catalog.photo(before.id).state == "failed"
    assert world.names() == ["0.png", "2.png"]


def test_what_failed_is_forgotten_with_the_photo(world, other_model, failing):
    before = indexed(world)
    failing["1.png"] = ImageError("damaged PNG")
    world.sync(embedder=other_model)
    before.path.unlink()
    world.sync()
    catalog = world.library.catalog
    assert catalog.embedding_failures(catalog.model(other_model.name, other_model.fingerprint, 24).id) == {}
