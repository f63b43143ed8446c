"""Decoding side by side: in order, bounded, and failures are results like any other."""

from dataclasses import replace

import numpy as np
import pytest

from clip_model.preprocessing.squares import CenterSquare
from indexer.catalog.records import CopiedPhoto, FailedPhoto, NewPhoto
from indexer.folders.scanner import scan
from indexer.pictures import images
from indexer.pictures.thumbnails import ThumbnailStore
from indexer.workers.decoding import NEVER, Decoder, Job, decode_all
from indexer.workers.isolation import WorkerPool
from indexer.workers.recipe import Recipe
from tests.indexer import runaways
from tests.indexer.processes import NewThreads, wait_until
from tests.indexer.worlds import draw


@pytest.fixture
def pool():
    with WorkerPool(timeout_s=120) as pool:
        yield pool


@pytest.fixture
def decoder(tmp_path, pool):
    recipe = Recipe(CenterSquare(4), ThumbnailStore(tmp_path / "thumbnails"), 8, 10**6)
    return Decoder(recipe, pool, lambda content: None, frozenset())


def jobs(folder):
    return [Job(1, folder, file, known=False) for file in scan(folder).files.values()]


def test_results_come_in_the_order_of_the_jobs(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(12):
        draw(i, size=(600, 400) if i % 4 == 0 else (20, 10)).save(folder / f"{i:02}.png")
    (folder / "05.png").write_bytes(b"nothing")
    results = list(decode_all(jobs(folder), decoder, workers=3, ahead=4))
    assert [result.job.file.path for result in results] == [f"{i:02}.png" for i in range(12)]
    kinds = {type(result.photo) for result in results[:5]}
    assert kinds == {NewPhoto}
    assert isinstance(results[5].photo, FailedPhoto)
    assert results[0].pixels.shape == (1, 4, 4, 3)
    assert results[0].thumbnails[0].startswith(b"RIFF")


def test_pixels_are_those_that_would_be_made_here(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, mode in enumerate(("RGB", "L", "I;16")):
        draw(3).convert("L" if mode == "I;16" else mode).convert(mode).save(folder / f"{number}.png")
    for result in decode_all(jobs(folder), decoder, workers=1, ahead=1):
        decoded = images.decode((folder / result.job.file.path).read_bytes(), min_side=8)
        here = decoder.recipe.prepare(decoded.image)[None]
        np.testing.assert_array_equal(result.pixels, here, strict=True)
        assert result.pixels.flags.writeable is here.flags.writeable is False


def test_no_more_than_asked_are_taken_up_before_their_turn(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(20):
        draw(i).save(folder / f"{i:02}.png")
    taken, threads = [], NewThreads("decode")

    def watched():
        for job in jobs(folder):
            taken.append(job)
            yield job

    results = decode_all(watched(), decoder, workers=2, ahead=3)
    next(results)
    assert len(taken) == 4
    assert threads()
    results.close()
    wait_until(lambda: not threads())


def test_a_file_with_the_bytes_of_a_known_photo_is_not_decoded(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    draw(1).save(folder / "a.png")
    size, content = (folder / "a.png").stat().st_size, images.hash_file(folder / "a.png")
    known = replace(decoder, copy_of={content: 7}.get, sizes=frozenset([size]))
    (result,) = decode_all(jobs(folder), known, workers=1, ahead=1)
    assert isinstance(result.photo, CopiedPhoto)
    assert (result.photo.source_id, result.pixels) == (7, None)


def test_what_could_not_be_read_is_marked_to_be_tried_again(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    draw(1).save(folder / "gone.png")
    (folder / "bad.png").write_bytes(b"nothing")
    work = jobs(folder)
    (folder / "gone.png").unlink()
    bad, gone = (result.photo for result in decode_all(work, decoder, workers=1, ahead=1))
    assert gone.mtime_ns == NEVER
    assert bad.mtime_ns == work[0].file.mtime_ns


def test_an_exception_that_is_no_failure_of_a_photo_ends_the_run(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    draw(1).save(folder / "a.png")
    broken = replace(decoder, recipe=replace(decoder.recipe, prepare=runaways.divide))
    with pytest.raises(ZeroDivisionError):
        list(decode_all(jobs(folder), broken, workers=1, ahead=1))
    refused = replace(decoder, recipe=replace(decoder.recipe, max_pixels=1))
    (result,) = decode_all(jobs(folder), refused, workers=1, ahead=1)
    assert "max_pixels" in result.photo.reason
    assert result.photo.mtime_ns == NEVER


def test_told_to_stop_it_does_not_wait_for_a_photo_that_takes_long(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(6):
        draw(i).save(folder / f"{i}.png")
    slow = replace(decoder, recipe=replace(decoder.recipe, prepare=runaways.forever))
    asked, threads = [], NewThreads("decode")
    results = decode_all(jobs(folder), slow, workers=2, ahead=8, stop=lambda: asked.append(1) or len(asked) > 5)
    assert list(results) == []
    wait_until(lambda: not threads())  # well before the pool's bound of time
    assert len(list(decode_all(jobs(folder), decoder, workers=2, ahead=8))) == 6  # the pool can be used again


def test_the_model_is_loaded_beside_the_decoding_but_not_for_what_has_failed_before(tmp_path, decoder):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"nothing")
    warmed = []
    decoder = replace(decoder, warm=lambda: warmed.append(1))
    again = [replace(job, known=True) for job in jobs(folder)]
    list(decode_all(again, decoder, workers=1, ahead=1))
    assert warmed == []
    draw(1).save(folder / "bad.png")
    list(decode_all(again, decoder, workers=1, ahead=1))
    assert warmed
