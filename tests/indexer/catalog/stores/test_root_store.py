"""Folders of roots by where they lie, with names of all kinds, and counts that stop where they may."""

import os

import pytest

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database, reading
from indexer.catalog.stores.root_store import folders_below
from tests.indexer.catalog_samples import DIM, new, vectors

NO_TEXT = os.fsdecode(b"caf\xe9")
FOLDERS = ("", "a", "a/b", "a/b/c", "a b", "a!", "a0", "a/\u00e9", "ab", "A", "b", NO_TEXT, f"a/{NO_TEXT}/y")
FOLDERS += (f"{NO_TEXT}/x",)


@pytest.fixture
def catalog(tmp_path):
    (tmp_path / "lib").mkdir()
    catalog = Catalog(open_database(tmp_path / "lib"))
    yield catalog
    catalog.close()


@pytest.fixture
def root(catalog, tmp_path):
    root, _ = catalog.add_root(tmp_path)
    model = catalog.model("m", "f", DIM)
    photos = [new(f"{folder}/x.jpg" if folder else "x.jpg") for folder in FOLDERS]
    catalog.store(root.id, photos, model.id, vectors(len(photos)))
    return root


@pytest.mark.parametrize("below", [*FOLDERS, "none", "a/b/", "_", "%"])
def test_what_lies_below_a_folder_is_what_its_path_says(catalog, root, below):
    with reading(catalog.engine) as connection:
        found = folders_below(connection, root.id, below)
    expected = {folder for folder in FOLDERS if not below or folder == below or folder.startswith(f"{below}/")}
    assert set(found.values()) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("count", range(-1, len(FOLDERS) + 2))
def test_whether_a_root_has_so_many_photos(catalog, root, count):
    assert catalog.has_at_least(root.id, count) is (count <= len(FOLDERS))
    assert catalog.has_at_least(root.id + 1, count) is (count <= 0)
