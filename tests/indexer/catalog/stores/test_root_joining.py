"""Roots in one another: whose photos they are, with what hangs on them, and what is remembered of mounts."""

from datetime import UTC, datetime

import pytest

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database, writing
from indexer.catalog.tag_records import Decision, Edit
from tests.indexer.catalog_samples import DIM, new, vectors


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    yield catalog
    catalog.close()


@pytest.fixture
def model(catalog):
    return catalog.model("tiny", "f1", DIM).id


def not_private(root, folder):
    """What an ignore file says that passes `private` over."""
    return "private" not in folder.split("/")


def known(catalog, root, model):
    return {path: photo.id for path, photo in catalog.known(root.id, model_id=model).items()}


def test_a_root_inside_one_that_passes_it_over_takes_its_photos_out_of_that(catalog, model, tmp_path):
    outer, _ = catalog.add_root(tmp_path / "photos")
    stored = [new("a.jpg"), new("private/b.jpg"), new("private/deep/c.jpg"), new("privates/d.jpg")]
    ids = catalog.store(outer.id, stored, model, vectors(4))
    catalog.keep_mounts(outer.id, ["private/deep", "x"])
    inner, below = catalog.add_root(tmp_path / "photos" / "private", not_private)
    assert below == "" and inner.id != outer.id
    assert known(catalog, outer, model) == {"a.jpg": ids[0], "privates/d.jpg": ids[3]}
    assert known(catalog, inner, model) == {"b.jpg": ids[1], "deep/c.jpg": ids[2]}
    assert (catalog.mounts(outer.id), catalog.mounts(inner.id)) == ({"x"}, {"deep"})


@pytest.mark.parametrize("stale", ["outer", "inner"])
def test_two_roots_that_know_the_same_folder_are_taken_over_as_one(catalog, model, tmp_path, stale):
    """As in libraries of older versions, where a root that was split off left its photos in the outer one too."""
    inner, _ = catalog.add_root(tmp_path / "all" / "photos" / "private")
    outer, _ = catalog.add_root(tmp_path / "all" / "photos", not_private)
    below = catalog.store(outer.id, [new("private/b.jpg"), new("private/old.jpg"), new("a.jpg")], model, vectors(3))
    alone = catalog.store(inner.id, [new("b.jpg", new("private/b.jpg").content_hash), new("c.jpg")], model, vectors(2))
    old, kept = (below[0], alone[0]) if stale == "outer" else (alone[0], below[0])
    catalog.tags.decide([Decision(old, ("dog",), "accepted"), Decision(old, ("cat",), "accepted")])
    catalog.tags.decide([Decision(kept, ("dog",), "rejected")])
    catalog.tags.edit([Edit(old, "title", "The lake", "hand")])
    catalog.mark_missing([old], datetime.now(UTC))
    whole, _ = catalog.add_root(tmp_path / "all")
    assert [root.path for root in catalog.roots()] == [tmp_path / "all"]
    assert known(catalog, whole, model) == {
        "photos/a.jpg": below[2],
        "photos/private/b.jpg": kept,
        "photos/private/c.jpg": alone[1],
        "photos/private/old.jpg": below[1],
    }
    states = {tag.path: tag.state for tag in catalog.tags.of([kept])[kept]}
    assert states == {("dog",): "rejected", ("cat",): "accepted"}
    assert catalog.photo(kept).title == "The lake"
    assert catalog.embedding_count(model) == 4


def test_of_two_entries_for_a_file_the_one_that_stays_has_nothing_of_a_gone_photo_of_its_picture(
    catalog, model, tmp_path
):
    inner, _ = catalog.add_root(tmp_path / "all" / "photos" / "private")
    [gone] = catalog.store(inner.id, [new("gone.jpg", "A")], model, vectors(1))
    catalog.tags.decide([Decision(gone, ("dog",), "accepted")])
    catalog.tags.edit([Edit(gone, "title", "The lake", "hand")])
    catalog.remove([gone])
    outer, _ = catalog.add_root(tmp_path / "all" / "photos", not_private)
    with writing(catalog.engine) as connection:  # both were there before it went
        connection.exec_driver_sql("UPDATE kept_decisions SET content_hash = 'later'")
    catalog.store(outer.id, [new("private/b.jpg", "A")], model, vectors(1))
    [stays] = catalog.store(inner.id, [new("b.jpg", "A")], model, vectors(1))
    with writing(catalog.engine) as connection:
        connection.exec_driver_sql("UPDATE kept_decisions SET content_hash = 'A'")
    whole, _ = catalog.add_root(tmp_path / "all")
    assert known(catalog, whole, model) == {"photos/private/b.jpg": stays}
    assert (catalog.tags.of([stays]), catalog.photo(stays).title) == ({}, None)
    [back] = catalog.store(whole.id, [new("photos/private/gone.jpg", "A")], model, vectors(1))
    assert (len(catalog.tags.of([back])[back]), catalog.photo(back).title) == (1, "The lake")


def test_what_is_remembered_of_mounts_goes_with_the_photos(catalog, tmp_path):
    inner, _ = catalog.add_root(tmp_path / "all" / "photos")
    catalog.keep_mounts(inner.id, ["nas", "usb/stick"])
    outer, _ = catalog.add_root(tmp_path / "all")
    assert catalog.mounts(outer.id) == {"photos/nas", "photos/usb/stick"}


def test_a_root_that_is_forgotten_leaves_no_mounts_to_the_next_of_its_number(catalog, tmp_path):
    first, _ = catalog.add_root(tmp_path / "one")
    catalog.keep_mounts(first.id, ["nas"])
    catalog.forget(first.id)
    second, _ = catalog.add_root(tmp_path / "two")
    assert second.id == first.id  # else this shows nothing
    assert catalog.mounts(second.id) == set()


def test_what_an_older_version_left_of_a_forgotten_root_is_not_inherited(catalog, tmp_path):
    catalog.set_setting("mounts 1", '["nas"]')
    root, _ = catalog.add_root(tmp_path / "one")
    assert (root.id, catalog.mounts(root.id)) == (1, set())
