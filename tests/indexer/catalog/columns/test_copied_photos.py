"""Which photos may be copies, by one state of the catalog and no other, however it was read."""

import numpy as np
import pytest
from sqlalchemy import event

from indexer.catalog.catalog import Catalog
from indexer.catalog.columns.copied_photos import OFTEN, CopiedPhotos
from indexer.catalog.database import open_database
from tests.indexer.catalog_samples import DIM, new, vectors


class World:
    """A catalog with photos of given contents, and what is asked of its database."""

    def __init__(self, folder):
        self.catalog = Catalog(open_database(folder / "library"))
        self.model = self.catalog.model("one", "one", DIM).id
        self.root = self.catalog.add_root(folder / "photos")[0]
        self.asked = []
        event.listen(self.catalog.engine, "before_cursor_execute", lambda *call: self.asked.append(call[2]))

    def store(self, contents):
        photos = [new(f"{name}.jpg", content) for name, content in contents.items()]
        return self.catalog.store(self.root.id, photos, self.model, vectors(len(photos)))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.catalog.close()


def often(copied, ids):
    """Ask until all copies have been read; every answer has to be the same."""
    answers = {tuple(copied.among(np.array(ids, np.int64)).tolist()) for _ in range(OFTEN + 3)}
    assert len(answers) == 1
    return list(answers.pop())


def test_photos_of_one_content_may_be_copies_and_no_others(world):
    one, two, three, four = world.store({"a": "same", "b": "other", "c": "same", "d": "alone"})
    copied = CopiedPhotos(world.catalog)
    assert often(copied, [one, two, three, four, 1_000_001]) == [True, False, True, False, False]
    assert often(copied, []) == []
    assert copied.among(np.array([four, two])).tolist() == [False, False]


def test_of_a_few_times_each_is_read_and_of_many_all_copies_once(world):
    ids = world.store({"a": "same", "b": "other", "c": "same"})
    copied = CopiedPhotos(world.catalog)
    often(copied, ids)
    world.asked.clear()
    assert often(copied, ids) == [True, False, True]
    assert world.asked == []


def test_a_change_is_never_missed(world):
    ids = world.store({"a": "same", "b": "other"})
    copied = CopiedPhotos(world.catalog)
    assert often(copied, ids) == [False, False]
    ids += world.store({"c": "same"})
    assert often(copied, ids) == [True, False, True]
    world.catalog.remove(ids[:1])
    assert often(copied, ids) == [False, False, False]


def test_a_change_while_all_are_read_is_not_missed(world, monkeypatch):
    ids = world.store({"a": "same", "b": "other"})
    copied = CopiedPhotos(world.catalog)
    for _ in range(OFTEN - 1):
        copied.among(np.array(ids))
    read = copied._read

    def changed(version):
        ids.extend(world.store({"c": "other"}))
        return read(version)

    monkeypatch.setattr(copied, "_read", changed)
    copied.among(np.array(ids))
    monkeypatch.undo()
    assert len(ids) == 3
    assert often(copied, ids) == [False, True, True]
