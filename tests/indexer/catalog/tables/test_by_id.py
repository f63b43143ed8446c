"""Rows that are read past SQLAlchemy are what SQLAlchemy makes of them, in one snapshot with what else is read."""

import sqlite3
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, literal_column, select

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database, reading, writing
from indexer.catalog.records import FailedPhoto, FoundFile
from indexer.catalog.stores import companion_store, description_store, photo_queries
from indexer.catalog.tables.by_id import ById
from indexer.catalog.tables.photo_tables import PhotoRow, RootRow
from indexer.metadata.photo_metadata import Keyword
from tests.indexer.catalog_samples import DIM, new, vectors


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    yield catalog
    catalog.close()


@pytest.fixture
def ids(catalog, tmp_path):
    """A photo of everything, in names that are no UTF-8 too, one that failed and is missing, and one of little."""
    root = catalog.add_root(tmp_path / "ph\udce9tos")[0].id
    model = catalog.model("m", "m", DIM).id
    words = (Keyword("red", "xmp"), Keyword("\udce9", "iptc"))
    said = {"title": "\udce9", "keywords": words, "city": "Lisbon"}
    photos = [new("a\udce9/b\udce9.jpg", taken_at=datetime(2020, 2, 3, 4, 5, 6, 7), **said), new("c.jpg")]
    found = catalog.store(root, photos, model, vectors(2))
    catalog.keep_companions(root, {"c.jpg"}, {"c.jpg": [FoundFile("c.\udce9", 5, 6)]})
    failed = catalog.fail(root, [FailedPhoto("d.jpg", 1, 2, "no picture: \udce9")])
    catalog.mark_missing(failed, datetime(2024, 5, 6, tzinfo=UTC))
    return [*found, *failed]


@pytest.mark.parametrize(
    ("statement", "query", "by"),
    [
        (photo_queries._BY_ID, photo_queries._record_query, PhotoRow.id),
        (photo_queries._CONTENTS, lambda: select(PhotoRow.id, PhotoRow.content_hash), PhotoRow.id),
        (description_store._KEYWORDS, description_store._keywords_query, None),
        (companion_store._NAMES, companion_store._names_query, None),
    ],
)
def test_rows_are_those_that_sqlalchemy_gives(catalog, ids, statement, query, by):
    with reading(catalog.engine) as connection:
        asked = query() if by is None else query().where(by.in_(ids))
        expected = [list(row) for row in connection.execute(asked)]
        assert [list(row) for row in statement.rows(connection, ids)] == expected


def test_only_rows_of_the_ids_are_given_each_once(catalog, ids):
    with reading(catalog.engine) as connection:
        statement = ById(lambda: select(PhotoRow.id, PhotoRow.state), PhotoRow.id)
        found = sorted(map(list, statement.rows(connection, [ids[2], 10**9, ids[0], ids[2]])))
        assert found == [[ids[0], "ok"], [ids[2], "failed"]]
        assert list(statement.rows(connection, [])) == []


def test_numbers_are_what_was_stored_to_the_last_bit(catalog, ids):
    stored = [0.1 + 0.2, -1e-300, 5e-324, 1.7976931348623157e308, 2**63 - 1, -(2**63)]
    names = ("latitude", "longitude", "altitude", "exposure_s", "iso", "rating")
    with writing(catalog.engine) as connection:
        connection.exec_driver_sql(f"UPDATE photos SET {' = ?, '.join(names)} = ?", tuple(stored))
    statement = ById(lambda: select(*(getattr(PhotoRow, name) for name in names)), PhotoRow.id)
    with reading(catalog.engine) as connection:
        assert list(map(list, statement.rows(connection, ids[:1]))) == [stored]


def test_a_statement_that_failed_leaves_nothing_to_the_next(catalog, ids):
    overflows = literal_column(f"abs(CASE photos.id WHEN {ids[1]} THEN -9223372036854775807 - 1 END)").label("a")
    broken = ById(lambda: select(PhotoRow.id, overflows), PhotoRow.id)
    sound = ById(lambda: select(PhotoRow.id, PhotoRow.state), PhotoRow.id)
    with reading(catalog.engine) as connection:
        with pytest.raises(sqlite3.OperationalError, match="overflow"):
            broken.rows(connection, ids)
        assert list(map(list, sound.rows(connection, ids[:1]))) == [[ids[0], "ok"]]


def test_all_that_is_read_is_of_one_state(catalog, ids):
    statement = ById(lambda: select(RootRow.id, RootRow.problem), RootRow.id)
    root = catalog.roots()[0].id
    with reading(catalog.engine) as connection:
        before = statement.rows(connection, [root])
        catalog.note_scan(root, "another one wrote")
        assert statement.rows(connection, [root]) == before == [[root, None]]
    with reading(catalog.engine) as connection:
        assert statement.rows(connection, [root]) == [[root, "another one wrote"]]


def test_sqlalchemy_is_asked_for_no_statement(catalog, ids):
    asked = []
    event.listen(catalog.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert [photo.id for photo in catalog.photos(ids)] == ids
    assert asked == []


def test_rows_at_once_are_one_row_of_sqlites(catalog, ids):
    at_once = ById(lambda: select(PhotoRow.id, PhotoRow.content_hash), PhotoRow.id, at_once=True)
    by_row = ById(lambda: select(PhotoRow.id, PhotoRow.content_hash), PhotoRow.id)
    with reading(catalog.engine) as connection:
        for wanted in (ids, [ids[1], 10**9, ids[1]], []):
            expected = list(map(list, by_row.rows(connection, wanted)))
            assert sorted(map(list, at_once.rows(connection, wanted))) == sorted(expected)
        text = at_once._made[0]
        assert len(connection.exec_driver_sql(text, ("[1, 2, 3]",)).fetchall()) == 1
