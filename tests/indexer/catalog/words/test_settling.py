"""The index of words is kept in short steps, and never stands in the way of what it is derived from."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text

from indexer.catalog import database
from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database, reading, writing
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.tag_records import Edit
from indexer.catalog.words import settling
from indexer.errors import LibraryError, LibraryLockedError, WordIndexError
from tests.indexer.catalog.words.test_word_index import assert_in_step, new_photo
from tests.indexer.catalog_samples import DIM, vectors

COUNT = 12


@pytest.fixture
def library(tmp_path):
    return tmp_path / "library"


@pytest.fixture
def catalog(library):
    catalog = Catalog(open_database(library))
    root = catalog.add_root(library.parent / "Family photos")[0]
    photos = [new_photo(f"Sea/{at}.jpg", f"Red dunes {at}", keywords=["thompson"]) for at in range(1, COUNT + 1)]
    catalog.store(root.id, photos, catalog.model("tiny", "f1", DIM).id, vectors(COUNT))
    yield catalog
    catalog.close()


def due(catalog):
    with reading(catalog.engine) as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM words_due").scalar_one()


def found(catalog, words):
    return len(catalog.allowed_ids(1, PhotoFilter(texts=(words,))))


def by_hand(library, *statements):
    """What another program does, and the system: the file's own connection is none of ours."""
    with closing(sqlite3.connect(library / "catalog.db")) as other:
        for statement in statements:
            other.execute(statement)
        other.commit()


DAMAGE = {
    "structure gone": ["DELETE FROM photo_words_data WHERE id = 10"],
    "structure garbled": ["UPDATE photo_words_data SET block = x'00000000ffffffff00ff' WHERE id = 10"],
    "averages gone": ["DELETE FROM photo_words_data WHERE id = 1"],
    "leaves gone": ["DELETE FROM photo_words_data WHERE id > 10"],
    "leaves garbled": ["UPDATE photo_words_data SET block = x'ffffffffffffffff' WHERE id > 10"],
    "leaves cut": ["UPDATE photo_words_data SET block = substr(block, 1, 9) WHERE id > 10"],
    "contents gone": ["DELETE FROM photo_words_content"],
    "sizes gone": ["DELETE FROM photo_words_docsize"],
    "version gone": ["DELETE FROM photo_words_config"],
    "a table gone": ["DROP TABLE photo_words_config"],
    "all tables gone": [f"DROP TABLE photo_words_{part}" for part in ("config", "data", "idx", "docsize", "content")],
    "the index gone": ["DROP TABLE photo_words"],
}


@pytest.mark.parametrize("statements", DAMAGE.values(), ids=DAMAGE)
def test_no_write_fails_for_a_damaged_index(library, catalog, statements):
    by_hand(library, *statements)
    photo = 3
    catalog.tags.edit([Edit(photo, "title", "Blue hills", "test")])
    catalog.remove([photo + 1])
    with reading(catalog.engine) as connection:
        assert connection.exec_driver_sql("SELECT value FROM edits").scalar() == "Blue hills"
    assert due(catalog) == 0
    assert found(catalog, "blue hills") == 1
    assert found(catalog, "dunes") == COUNT - 2
    assert found(catalog, "thompson") == COUNT - 1


@pytest.mark.parametrize("name", [name for name in DAMAGE if name not in ("averages gone", "sizes gone")])
def test_a_search_makes_a_damaged_index_anew(library, catalog, name):
    by_hand(library, *DAMAGE[name])
    assert found(catalog, "dunes 3") == 1
    assert [len(part) for part in catalog.words.photos_saying([("red",), ("dunes",)])] == [COUNT, COUNT]
    if name != "contents gone":
        assert_in_step(catalog)


def test_what_cannot_be_made_anew_is_said_and_blocks_no_write(library, catalog, monkeypatch):
    by_hand(library, *DAMAGE["structure gone"])
    monkeypatch.setattr(settling, "INDEX", "CREATE VIRTUAL TABLE photo_words USING nothing(own)")
    catalog.set_setting("any", "thing")
    catalog.tags.edit([Edit(3, "title", "Blue hills", "test")])
    assert catalog.setting("any") == "thing"
    assert due(catalog) > 0
    with pytest.raises(WordIndexError, match="index of photos' words"):
        found(catalog, "dunes")
    monkeypatch.undo()
    assert found(catalog, "blue hills") == 1


class _Killed(BaseException):
    """Stands for the end of the process."""


def test_many_changes_are_indexed_in_short_transactions_and_a_kill_leaves_them_due(library, catalog, monkeypatch):
    monkeypatch.setattr(settling, "AT_ONCE", 5)
    steps, index = [], settling._index

    def step(connection, photos):
        with closing(sqlite3.connect(library / "catalog.db", timeout=0)) as other:
            steps.append((len(photos), other.execute("SELECT count(*) FROM words_due").fetchone()[0]))
        if len(steps) == 3:
            raise _Killed
        index(connection, photos)

    monkeypatch.setattr(settling, "_index", step)
    with pytest.raises(_Killed):
        catalog.rename_root(1, library.parent / "Holidays")
    assert steps == [(5, 0), (5, COUNT - 5), (2, COUNT - 10)], "each is committed before the next begins"
    assert due(catalog) == COUNT - 10
    assert [found(catalog, name) for name in ("holidays", "dunes")] == [COUNT, COUNT], "also of those that are due"
    monkeypatch.setattr(settling, "_index", index)
    catalog.set_setting("any", "thing")
    assert found(catalog, "holidays") == COUNT
    assert_in_step(catalog)


def test_others_may_write_between_the_steps(library, catalog, monkeypatch):
    monkeypatch.setattr(settling, "AT_ONCE", 5)
    monkeypatch.setattr(settling, "QUIET_S", 0)
    monkeypatch.setattr("indexer.catalog.files.database_trouble.BUSY_TIMEOUT_S", 0)
    busy, settle = [], settling.settle

    def step(connection):
        other = Catalog(database._engine(library / "catalog.db"))
        with pytest.raises(LibraryLockedError):
            other.set_setting("any", "thing")
        other.close()
        if busy:
            raise LibraryLockedError("another process is quicker")
        busy.append(settle(connection))
        return busy[0]

    monkeypatch.setattr(settling, "settle", step)
    catalog.rename_root(1, library.parent / "Holidays")
    assert (busy, due(catalog)) == ([True], COUNT - 5), "what was asked for is done"
    assert catalog.roots()[0].path.name == "Holidays"
    monkeypatch.undo()
    Catalog(open_database(library)).close()
    assert_in_step(catalog)


def test_a_root_that_is_mounted_elsewhere_under_its_name_has_the_same_words(library, catalog, monkeypatch):
    monkeypatch.setattr(settling, "settle", lambda _: pytest.fail("nothing is due"))
    for folder in ("/media/anna/Family photos", "/Family photos", str(library.parent / "other" / "Family photos")):
        with writing(catalog.engine) as connection:
            connection.execute(text("UPDATE roots SET path = :path"), {"path": folder})
    monkeypatch.undo()
    assert_in_step(catalog)
    for folder in ("/media/anna/Family", "/", "C:\\\\Family photos", "D:\\\\Other photos"):
        with writing(catalog.engine) as connection:
            connection.execute(text("UPDATE roots SET path = :path"), {"path": folder})
        assert_in_step(catalog)


def test_what_an_older_picsift_left_is_indexed_by_the_next_who_opens_the_library(library, catalog):
    by_hand(library, "UPDATE photos SET title = 'Afterwards' WHERE id = 3", "DELETE FROM photos WHERE id = 4")
    assert due(catalog) == 2
    assert [found(catalog, words) for words in ("afterwards", "after*", "dunes", "sea", "dunes 3", "other")] == [
        *(1, 1, COUNT - 2, COUNT - 1, 0, 0)
    ], "who only searches reads what is due from its rows"
    assert [len(part) for part in catalog.words.photos_saying([("afterwards",), ("sea",)])] == [1, 0]
    assert due(catalog) == 2
    Catalog(open_database(library)).close()
    assert due(catalog) == 0
    assert found(catalog, "afterwards") == 1
    assert_in_step(catalog)


def test_a_library_that_cannot_be_written_is_opened_all_the_same(library, catalog, monkeypatch):
    by_hand(library, "UPDATE photos SET title = 'Afterwards' WHERE id = 3", *DAMAGE["structure gone"])
    monkeypatch.setattr(database, "_PRAGMAS", (*database._PRAGMAS, "PRAGMA query_only = ON"))
    other = Catalog(open_database(library))
    with pytest.raises(LibraryError, match="cannot be made anew"):
        found(other, "dunes")
    other.close()


@pytest.mark.fresh_schema
def test_without_fts5_all_but_words_works_and_comes_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(settling, "has_fts5", lambda _: False)
    own = database._PRAGMAS
    without = "CREATE TEMP TABLE pragma_module_list (name TEXT)"  # hides SQLite's own
    monkeypatch.setattr(database, "_PRAGMAS", (*own, without))
    catalog = Catalog(open_database(tmp_path / "library"))
    root = catalog.add_root(tmp_path / "Photos")[0]
    catalog.store(root.id, [new_photo("a.jpg", "Red dunes")], catalog.model("tiny", "f1", DIM).id, vectors(1))
    catalog.tags.edit([Edit(1, "title", "Blue hills", "test")])
    with pytest.raises(WordIndexError, match="built without FTS5"):
        found(catalog, "blue")
    catalog.close()
    monkeypatch.undo()
    catalog = Catalog(open_database(tmp_path / "library"))
    assert found(catalog, "blue") == 1
    assert_in_step(catalog)
    catalog.close()
