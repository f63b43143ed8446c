"""One damaged vector in the database: left out, said, and embedded again, wherever it is met first."""

import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from sqlalchemy import text

from indexer.catalog.database import writing
from indexer.errors import LibraryError
from indexer.vectors.repair import refresh
from tests.indexer.following import following
from tests.indexer.worlds import World


def damage_of(kind, vector):
    if kind == "cut":
        return vector[:30]
    numbers = np.frombuffer(vector, "<f2").copy()
    if kind == "zero":
        numbers[:] = 0
    elif kind == "flipped bit":
        numbers.view("<u2")[3] |= 0x7C00
    else:
        numbers[0] = np.nan
    return numbers.tobytes()


def damage(world, name, kind, table="embeddings"):
    """Damage a photo's vector as a disk would, behind the catalog's back."""
    photo = world.library.catalog.photo_at(world.photos / name)
    with writing(world.library.catalog.engine) as connection:
        query = text(f"SELECT vector FROM {table} WHERE photo_id = :id")
        vector = connection.execute(query, {"id": photo.id}).scalar()
        changed = text(f"UPDATE {table} SET vector = :vector WHERE photo_id = :id")
        connection.execute(changed, {"vector": damage_of(kind, vector), "id": photo.id})
    return photo.id


def lose_index(world):
    shutil.rmtree(world.library.folder / "index")


KINDS = ["cut", "flipped bit"]  # the others are told apart in test_soundness.py


@pytest.fixture
def indexed(world):
    for seed in range(5):
        world.write(f"{seed}.png", seed)
    world.sync()
    return world


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_leaves_a_damaged_vector_out_says_so_once_and_the_next_run_embeds_it(indexed, kind, caplog):
    photo_id = damage(indexed, "2.png", kind)
    lose_index(indexed)
    catalog, model = indexed.library.catalog, indexed.active
    index = indexed.index()
    assert "rebuilt from 4" in (refresh(index, catalog, model.id) or "")
    assert photo_id not in index.ids()
    assert caplog.text.count("damaged vectors of 1 photo,") == 1
    assert refresh(index, catalog, model.id) is None
    assert refresh(indexed.index(), catalog, model.id) is None
    assert caplog.text.count("damaged vectors") == 1
    assert catalog.lacking(model.id).tolist() == [photo_id]
    report = indexed.sync()
    assert (report.updated, report.failed, report.unchanged) == (1, 0, 4)
    assert indexed.nearest(2) == "2.png"
    indexed.assert_agreement()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_has_to_make_the_index_anew_embeds_the_photo_at_once(indexed, kind):
    damage(indexed, "2.png", kind)
    lose_index(indexed)
    assert indexed.sync().updated == 1
    assert indexed.nearest(2) == "2.png"
    indexed.assert_agreement()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_only_reads_on_meets_it_and_the_next_one_embeds_the_photo(indexed, kind):
    indexed.write("new.png", 9)
    model = indexed.active
    with pytest.MonkeyPatch.context() as patched:  # killed before the index was saved
        patched.setattr("indexer.pipeline.finish", lambda *_, **__: [])
        indexed.sync()
    damage(indexed, "new.png", kind)
    indexed.sync()
    assert indexed.sync().failed == 0
    assert indexed.library.catalog.lacking(model.id).size == 0
    assert indexed.nearest(9) == "new.png"
    indexed.assert_agreement()


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_like_a_damaged_one_and_a_copy_of_it_are_embedded_anew(indexed, kind, caplog):
    photo_id = damage(indexed, "2.png", kind)
    catalog, model = indexed.library.catalog, indexed.active
    assert catalog.embedding_of(photo_id, model.id) is None
    assert "damaged vectors of 1 photo," in caplog.text
    indexed.sync()
    damage(indexed, "2.png", kind)
    shutil.copy(indexed.photos / "2.png", indexed.photos / "copy.png")
    for _ in range(2):
        assert indexed.sync().failed == 0
    copy = catalog.photo_at(indexed.photos / "copy.png")
    assert catalog.embedding_of(copy.id, model.id) is not None


def test_the_daemon_goes_on(indexed):
    damage(indexed, "2.png", "cut")
    lose_index(indexed)
    with following(indexed, mode="polling") as daemon:
        daemon.wait_for(updated=1)
    indexed.assert_agreement()


def test_a_library_that_is_only_read_is_searched_without_it_and_it_is_said_once(indexed, caplog, monkeypatch):
    damage(indexed, "2.png", "nan")
    catalog, model = indexed.library.catalog, indexed.active

    @contextmanager
    def refused(engine):
        raise LibraryError("read-only")
        yield

    monkeypatch.setattr("indexer.catalog.model_catalog.writing", refused)
    for _ in range(2):
        assert sum(len(ids) for ids, _ in catalog.embeddings(model.id)) == 4
    assert caplog.text.count("damaged vectors of 1 photo,") == 1


def test_a_video_with_a_damaged_frame_is_embedded_again_as_a_whole(tmp_path, tiny_model_path):
    from tests.indexer.videos import BLUE, GREEN, RED, draw_video

    world = World(tmp_path, tiny_model_path)
    draw_video(world.photos / "film.mp4", [RED] * 4 + [GREEN] * 4 + [BLUE] * 4)
    world.sync(videos=True)
    catalog, model = world.library.catalog, world.active
    frames = len(catalog.frame_ids(model.id))
    assert frames
    damage(world, "film.mp4", "nan", table="frames")
    lose_index(world)
    assert world.sync().updated == 1
    assert len(catalog.frame_ids(model.id)) == frames
    world.assert_agreement()


def test_what_was_kept_of_a_tag_is_made_again_where_it_is_damaged(indexed):
    catalog, model = indexed.library.catalog, indexed.active
    vector = np.full(model.dim, 0.5, np.float32)
    catalog.tags.put_prompt_vectors(model.id, {"key": vector})
    number = catalog.tags.make([("cat",)])[("cat",)]
    catalog.tags.put_fit(model.id, number, "{}", vector)
    with writing(catalog.engine) as connection:
        connection.execute(text("UPDATE prompt_vectors SET vector = substr(vector, 1, 30)"))
        connection.execute(text("UPDATE tag_fits SET vector = substr(vector, 1, 30)"))
    assert catalog.tags.fits(model.id)[number] == ("{}", None)
    assert catalog.tags.prompt_vectors(model.id, ["key"]) == {}
    catalog.tags.put_prompt_vectors(model.id, {"key": vector})
    np.testing.assert_array_equal(catalog.tags.prompt_vectors(model.id, ["key"])["key"], vector)
