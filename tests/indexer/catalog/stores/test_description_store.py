"""Metadata in rows: kept, copied, replaced, gone with its photo, and what an older library makes of it."""

import sqlite3
from contextlib import closing
from datetime import datetime

import pytest
from sqlalchemy import text

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import FILE_NAME, SCHEMA_VERSION, open_database, reading, schema_version, writing
from indexer.catalog.migrations import upgrade
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import CopiedPhoto, DescribedPhoto, FailedPhoto
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata
from tests.indexer.catalog_samples import DIM, new, vectors

WORDS = (Keyword("red", "xmp"), Keyword("People|Zoë", "sidecar"), Keyword("\udce9", "iptc"))
SAID = {
    **{"exposure_s": 0.004, "f_number": 2.8, "iso": 400, "focal_mm": 50.0, "focal_35mm_mm": 75.0},
    **{"rating": -1, "title": "Dog", "description": "On a beach", "keywords": WORDS},
    **{"city": "Lisbon", "region": None, "country": "Portugal"},
}


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    yield catalog
    catalog.close()


@pytest.fixture
def root(catalog, tmp_path):
    return catalog.add_root(tmp_path)[0]


@pytest.fixture
def model(catalog):
    return catalog.model("m", "m", DIM).id


def rows(catalog, table):
    with reading(catalog.engine) as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar()


def test_what_a_photo_says_is_kept(catalog, root, model):
    [number] = catalog.store(root.id, [new("a.jpg", **SAID)], model, vectors(1))
    photo = catalog.photo(number)
    assert {name: getattr(photo, name) for name in SAID} == SAID | {"keywords": ("red", "People|Zoë", "\udce9")}
    with reading(catalog.engine) as connection:
        kept = connection.execute(text("SELECT source FROM keywords ORDER BY position")).scalars().all()
    assert kept == ["xmp", "sidecar", "iptc"]


def test_photos_of_one_place_share_it_and_a_new_one_is_made(catalog, root, model):
    here, there = {"city": "Lisbon"}, {"city": "Lisbon", "country": "Portugal"}
    photos = [new("a.jpg", **here), new("b.jpg", **there), new("c.jpg", **here), new("d.jpg")]
    ids = catalog.store(root.id, photos, model, vectors(4))
    catalog.store(root.id, [new("e.jpg", **there)], model, vectors(1))
    assert rows(catalog, "places") == 2
    assert [photo.country for photo in catalog.photos(ids)] == [None, "Portugal", None, None]
    assert catalog.photo(ids[3]).city is None


def test_a_copy_has_it_too_and_a_failure_loses_it(catalog, root, model):
    [source] = catalog.store(root.id, [new("a.jpg", "A", **SAID)], model, vectors(1))
    [copy] = catalog.store_copies(root.id, [CopiedPhoto("b.jpg", 10, 1, "A", source)])
    assert catalog.photo(copy).keywords == ("red", "People|Zoë", "\udce9")
    assert (catalog.photo(copy).city, catalog.photo(copy).rating) == ("Lisbon", -1)
    catalog.fail(root.id, [FailedPhoto("a.jpg", 1, 1, "cut off")])
    assert (catalog.photo(source).keywords, catalog.photo(source).city) == ((), None)
    catalog.remove([copy])
    assert rows(catalog, "keywords") == 0


def test_storing_again_replaces_keywords(catalog, root, model):
    for words in ((Keyword("red", "xmp"), Keyword("dog", "xmp")), (Keyword("dog", "xmp"),)):
        [number] = catalog.store(root.id, [new("a.jpg", keywords=words)], model, vectors(1))
    assert catalog.photo(number).keywords == ("dog",)


def test_describing_leaves_the_vector_and_its_generation_alone(catalog, root, model):
    [number] = catalog.store(root.id, [new("a.jpg", "A", **SAID)], model, vectors(1))
    before = catalog.photo(number)
    said = DescribedPhoto(number, PhotoMetadata(title="Cat", keywords=(Keyword("cat", "xmp"),)), 5, 6, "stamp")
    assert catalog.describe([said]) == {number}
    assert catalog.describe([said]) == set()
    assert (catalog.photo(number).size, catalog.photo(number).mtime_ns) == (5, 6)
    after = catalog.photo(number)
    assert (after.title, after.keywords, after.rating, after.city, after.lens) == ("Cat", ("cat",), None, None, None)
    assert (after.content_hash, after.width, after.indexed_at) == ("A", before.width, before.indexed_at)
    assert catalog.generation(model) == 1
    assert catalog.known(root.id, model_id=model)["a.jpg"].sidecar == "stamp"
    catalog.describe([])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"place": "lisbon"}, "ab"), ({"place": "Portugal"}, "abc"), ({"place": "porto"}, "c"),
        ({"place": "Nowhere"}, ""),
        ({"place": "portugal", "folder": "trip"}, "bc"), ({"place": "portugal", "after": datetime(2021, 1, 1)}, "b"),
        ({"place": "portugal", "before": datetime(2021, 1, 1), "folder": "trip"}, ""), ({"place": ""}, "abcd"),
    ],
)  # fmt: skip
def test_a_place_is_a_filter_alone_and_with_others(catalog, root, model, wanted, expected):
    lisbon, porto = {"city": "Lisbon", "country": "Portugal"}, {"city": "Porto", "country": "Portugal"}
    photos = [
        new("a.jpg", **lisbon), new("trip/b.jpg", taken_at=datetime(2021, 7, 4), **lisbon), new("trip/c.jpg", **porto),
        new("d.jpg"),
    ]  # fmt: skip
    ids = catalog.store(root.id, photos, model, vectors(4))
    found = catalog.allowed_ids(model, PhotoFilter(**wanted))
    assert list(found) == [ids["abcd".index(name)] for name in expected]


def test_a_library_of_the_first_schema_is_upgraded_and_asks_to_be_read_again(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    open_old(folder)
    with closing(sqlite3.connect(folder / FILE_NAME)) as old, old:
        old.execute("INSERT INTO roots (id, path) VALUES (1, '/photos')")
        old.execute("INSERT INTO folders (id, root_id, path) VALUES (1, 1, '')")
        old.execute(
            "INSERT INTO photos (id, folder_id, name, size, mtime_ns, content_hash, state, indexed_at, lens) "
            "VALUES (7, 1, 'a.jpg', 1, 2, 'A', 'ok', '2026-01-01 00:00:00', 'EF 50')"
        )
    catalog = Catalog(open_database(folder))
    with reading(catalog.engine) as connection:
        assert schema_version(connection) == SCHEMA_VERSION
    photo = catalog.photo(7)
    assert (photo.lens, photo.rating, photo.city, photo.keywords) == ("EF 50", None, None, ())
    assert catalog.known(1, model_id=1)["a.jpg"].sidecar is None
    catalog.close()


def open_old(folder):
    """Make a catalog as the first release left it."""
    from indexer.catalog import database

    engine = database._engine(folder / FILE_NAME, foreign_keys=False)
    with writing(engine) as connection:
        upgrade(connection, "0001")
    engine.dispose()
