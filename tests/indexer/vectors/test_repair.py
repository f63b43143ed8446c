from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database
from indexer.catalog.records import FailedPhoto, NewPhoto
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.vectors import file as vector_file
from indexer.vectors.index import VectorIndex
from indexer.vectors.repair import refresh
from tests.fuzzing import examples
from tests.indexer.unit_vectors import DIM, unit

MODEL = "d" * 64


class Shelf:
    """A catalog with one root and one model, and the index beside it."""

    def __init__(self, folder):
        self.folder = folder / "library"
        self.folder.mkdir(parents=True)
        (folder / "photos").mkdir()
        self.catalog = Catalog(open_database(self.folder))
        self.root = self.catalog.add_root(folder / "photos")[0].id
        self.model = self.catalog.model("tiny", MODEL, DIM).id
        self.written = 0

    def store(self, *names: str) -> list[int]:
        """Add or change photos; each write has new vectors."""
        self.written += 1
        photos = [
            NewPhoto(name, 10, self.written, f"{name}-{self.written}", 8, 8, "JPEG", PhotoMetadata()) for name in names
        ]
        return self.catalog.store(self.root, photos, self.model, unit(len(names), seed=self.written).astype(np.float16))

    def open(self) -> VectorIndex:
        return VectorIndex.open(self.folder / "index", dim=DIM, fingerprint=MODEL, device="cpu")

    def refresh(self, index: VectorIndex) -> str | None:
        return refresh(index, self.catalog, self.model)

    def assert_in_step(self, index: VectorIndex) -> None:
        ids = self.catalog.embedding_ids(self.model)
        assert index.ids().tolist() == ids.tolist()
        for photo in ids.tolist():
            np.testing.assert_array_equal(index.vector(photo), self.catalog.embedding_of(photo, self.model))
        assert index.generation == self.catalog.generation(self.model)


@pytest.fixture
def shelf(tmp_path):
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.catalog.close()


def saved(shelf: Shelf) -> VectorIndex:
    """An index in step with the catalog, saved."""
    index = shelf.open()
    shelf.refresh(index)
    index.save(index.generation)
    return index


def test_a_new_library_has_nothing_to_say(shelf):
    index = shelf.open()
    assert shelf.refresh(index) is None
    assert len(index) == 0
    assert index.problem is None


def test_a_missing_index_is_rebuilt_from_the_stored_embeddings_saved_and_said(shelf):
    shelf.store(*(f"{number}.jpg" for number in range(30)))
    index = shelf.open()
    said = shelf.refresh(index)
    assert said == "The search index was rebuilt from 30 stored embeddings: the file index.json is missing."
    shelf.assert_in_step(index)
    again = shelf.open()
    assert again.problem is None
    assert shelf.refresh(again) is None
    shelf.assert_in_step(again)


def test_one_embedding_is_told_as_one(shelf):
    shelf.store("one.jpg")
    assert "from 1 stored embedding: " in shelf.refresh(shelf.open())


def test_an_index_in_step_is_left_alone(shelf, monkeypatch):
    shelf.store("a.jpg", "b.jpg")
    index = saved(shelf)
    monkeypatch.setattr(shelf.catalog, "embeddings", lambda *_, **__: pytest.fail("read the embeddings again"))
    assert shelf.refresh(index) is None
    assert shelf.refresh(shelf.open()) is None


def test_additions_changes_and_removals_are_taken_up_without_a_word(shelf):
    ids = shelf.store("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    index = saved(shelf)
    shelf.store("e.jpg")
    shelf.store("b.jpg")
    shelf.catalog.remove([ids[0]])
    shelf.catalog.fail(shelf.root, [FailedPhoto("c.jpg", 1, 2, "truncated")])
    assert shelf.refresh(index) is None
    assert len(index) == 3
    shelf.assert_in_step(index)


def test_only_what_changed_is_read(shelf, monkeypatch):
    shelf.store(*(f"{number}.jpg" for number in range(50)))
    index, read = saved(shelf), []
    whole = shelf.catalog.embeddings

    def counted(model_id, *, since=0, **more):
        for ids, vectors in whole(model_id, since=since, **more):
            read.extend(ids.tolist())
            yield ids, vectors

    monkeypatch.setattr(shelf.catalog, "embeddings", counted)
    new = shelf.store("new.jpg")
    assert shelf.refresh(index) is None
    assert read == new


def test_photos_that_are_only_missing_from_their_folder_stay_searchable(shelf):
    ids = shelf.store("a.jpg")
    index = saved(shelf)
    shelf.catalog.mark_missing(ids, datetime.now(UTC))
    assert shelf.refresh(index) is None
    assert index.ids().tolist() == ids


@pytest.mark.parametrize("damage", ["truncate", "flip", "data missing", "pointer missing", "pointer garbage", "folder"])
def test_any_damage_on_disk_is_noticed_repaired_and_said(shelf, damage):
    shelf.store("a.jpg", "b.jpg", "c.jpg")
    saved(shelf)
    folder = shelf.folder / "index"
    (data,) = folder.glob("*.bin")
    pointer = folder / vector_file.POINTER
    if damage == "truncate":
        data.write_bytes(data.read_bytes()[:-1])
    elif damage == "flip":
        data.write_bytes(data.read_bytes()[:-1] + b"\x77")
    elif damage == "data missing":
        data.unlink()
    elif damage == "pointer missing":
        pointer.unlink()
    elif damage == "pointer garbage":
        pointer.write_text("{")
    else:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    index = shelf.open()
    said = shelf.refresh(index)
    assert said is not None
    assert said.startswith("The search index was rebuilt from 3 stored embeddings: ")
    assert said.endswith(".")
    shelf.assert_in_step(index)
    assert shelf.open().problem is None
    assert len(list(folder.glob("*.bin"))) == 1


def test_an_index_of_another_model_is_rebuilt(shelf):
    shelf.store("a.jpg")
    stranger = VectorIndex.open(shelf.folder / "index", dim=DIM, fingerprint="e" * 64, device="cpu")
    stranger.add([1, 2, 3], unit(3))
    stranger.save(1)
    index = shelf.open()
    assert "another model" in (shelf.refresh(index) or "")
    shelf.assert_in_step(index)


def test_an_index_ahead_of_the_catalog_is_rebuilt(shelf):
    """As after a restored backup of the database."""
    shelf.store("a.jpg")
    index = saved(shelf)
    index.add([900], unit(1))
    index.save(index.generation + 5)
    again = shelf.open()
    assert "ahead of the catalog" in (shelf.refresh(again) or "")
    shelf.assert_in_step(again)


@pytest.mark.parametrize("later", [0, 1, 2])
def test_an_index_of_a_past_that_a_restored_backup_undid_is_rebuilt(shelf, later):
    """Ids and generations come again: without the tokens, a vector would stand under another photo for good."""
    file, backup = shelf.folder / "catalog.db", shelf.folder / "backup.db"
    shelf.store("a.jpg")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    shelf.store("b.jpg")
    shelf.store("a.jpg")
    index = saved(shelf)
    shelf.catalog.close()
    backup.replace(file)
    shelf.catalog = Catalog(open_database(shelf.folder))
    for name in ("other.jpg", "another.jpg", "third.jpg")[: 1 + later]:
        shelf.store(name)
    again = shelf.open()
    assert again.generation == index.generation == 3
    said = shelf.refresh(again)
    assert "another past" in (said or "") or "ahead of" in (said or "")
    shelf.assert_in_step(again)
    assert shelf.refresh(shelf.open()) is None


def test_an_index_that_is_behind_in_the_same_past_is_not_rebuilt(shelf):
    file, backup = shelf.folder / "catalog.db", shelf.folder / "backup.db"
    shelf.store("a.jpg")
    saved(shelf)
    shelf.store("b.jpg")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    shelf.catalog.close()
    backup.replace(file)
    shelf.catalog = Catalog(open_database(shelf.folder))
    index = shelf.open()
    assert shelf.refresh(index) is None
    shelf.assert_in_step(index)


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("wrong", ["too many", "too few"])
def test_an_index_at_odds_with_the_catalog_is_put_right(shelf, wrong, behind):
    ids = shelf.store("a.jpg", "b.jpg", "c.jpg")
    index = saved(shelf)
    if wrong == "too many":
        index.add([900], unit(1))
    else:
        index.remove(ids[:1])
    index.save(index.generation)
    if behind:
        shelf.store("d.jpg")
    again = shelf.open()
    said = shelf.refresh(again)
    shelf.assert_in_step(again)
    if not (behind and wrong == "too many"):  # there, the stranger cannot be told from a photo removed since
        assert "did not hold the photos" in (said or "")


def test_a_library_that_cannot_be_written_is_searched_all_the_same(shelf, monkeypatch, caplog):
    shelf.store("a.jpg", "b.jpg")
    index = shelf.open()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(vector_file, "_write_data", full)
    assert "rebuilt from 2" in (shelf.refresh(index) or "")
    assert "cannot be saved" in caplog.text
    shelf.assert_in_step(index)


def test_a_commit_between_two_looks_at_the_catalog_is_no_disagreement(shelf, monkeypatch):
    """Another process stores photos just after this one has read the generation."""
    shelf.store("a.jpg")
    index = saved(shelf)
    look = shelf.catalog.generation
    looks = []

    def generation(model_id):
        seen = look(model_id)
        looks.append(seen)
        if len(looks) in (1, 3):
            shelf.store(f"{len(looks)}.jpg")
        return seen

    monkeypatch.setattr(shelf.catalog, "generation", generation)
    assert shelf.refresh(index) is None
    monkeypatch.undo()
    assert shelf.refresh(index) is None
    shelf.assert_in_step(index)


def test_a_commit_while_the_embeddings_are_read_is_no_disagreement(shelf, monkeypatch):
    shelf.store("a.jpg")
    index = saved(shelf)
    shelf.store("b.jpg")
    whole, busy = shelf.catalog.embeddings, ["c.jpg"]

    def embeddings(model_id, **more):
        yield from list(whole(model_id, **more))
        if busy:
            shelf.store(busy.pop())

    monkeypatch.setattr(shelf.catalog, "embeddings", embeddings)
    assert shelf.refresh(index) is None
    shelf.assert_in_step(index)


steps = st.lists(
    st.tuples(st.sampled_from(["store", "remove", "refresh", "save", "reopen", "damage"]), st.integers(0, 9)),
    max_size=20,
)


@settings(max_examples=examples(15))
@given(steps=steps)
def test_whatever_happened_a_refresh_ends_in_step(tmp_path_factory, steps):
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    index = shelf.open()
    shelf.refresh(index)
    for step, number in steps:
        if step == "store":
            shelf.store(*(f"{name}.jpg" for name in range(number, number + 3)))
        elif step == "remove":
            shelf.catalog.remove(shelf.catalog.embedding_ids(shelf.model)[: number // 3].tolist())
        elif step == "refresh":
            shelf.refresh(index)
        elif step == "save":
            index.save(index.generation)
        elif step == "reopen":
            index = shelf.open()
        else:
            for file in (shelf.folder / "index").glob("*.bin"):
                file.write_bytes(file.read_bytes()[: -number or None])
    for candidate in (index, shelf.open()):
        shelf.refresh(candidate)
        shelf.assert_in_step(candidate)
    shelf.catalog.close()
