"""The order of photos by their instants: whoever writes dates, in libraries of every age, at any size."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import event, text

from indexer.catalog import database, instants, migrations
from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database, reading, writing
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import CopiedPhoto, DescribedPhoto, FailedPhoto
from indexer.metadata.photo_metadata import PhotoMetadata
from tests.indexer.catalog_samples import DIM, new, vectors

DAY = datetime(2024, 5, 6)
CLOCKS = {
    "tokyo.jpg": (DAY.replace(hour=10), 540),
    "camera.jpg": (DAY.replace(hour=9), None),  # in Berlin, as the library: at 7 in UTC
    "london.jpg": (DAY.replace(hour=8), 0),
    "lima.jpg": (DAY.replace(hour=4), -300),
    "undated.jpg": (None, None),
    "first.jpg": (datetime.min, 840),
    "last.jpg": (datetime.max, -720),
}
ORDER = ["last.jpg", "lima.jpg", "london.jpg", "camera.jpg", "tokyo.jpg", "first.jpg", "undated.jpg"]


def said(name):
    at, offset = CLOCKS[name]
    return PhotoMetadata(taken_at=at, taken_offset_min=offset, taken_source=None if at is None else "original")


def in_berlin(engine):
    with writing(engine) as connection:
        connection.execute(text("UPDATE settings SET value = 'Europe/Berlin' WHERE key = 'time_zone'"))


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    in_berlin(catalog.engine)
    yield catalog
    catalog.close()


@pytest.fixture
def root(catalog, tmp_path):
    return catalog.add_root(tmp_path / "photos")[0].id


@pytest.fixture
def model(catalog):
    return catalog.model("tiny", "f1", DIM).id


def stored(catalog, root, model):
    photos = [new(name, taken_at=CLOCKS[name][0], taken_offset_min=CLOCKS[name][1]) for name in CLOCKS]
    return dict(zip(CLOCKS, catalog.store(root, photos, model, vectors(len(photos))), strict=True))


def order(catalog, ids=None):
    return [photo.path.name for photo in catalog.photos(catalog.newest(ids, limit=50))]


def test_photos_are_ordered_by_the_instant_and_show_their_clocks(catalog, root, model, monkeypatch):
    ids = stored(catalog, root, model)
    for limit in (database.IN_LIMIT, 3):
        monkeypatch.setattr("indexer.catalog.stores.photo_queries.IN_LIMIT", limit)
        for among in (None, np.array(sorted(ids.values()), np.int64)):
            assert order(catalog, among) == ORDER
            pages = [catalog.newest(among, limit=2, offset=offset) for offset in range(0, 8, 2)]
            assert [number for page in pages for number in page] == [ids[name] for name in ORDER]
    assert {photo.path.name: photo.taken_at for photo in catalog.photos([*ids.values()])} == {
        name: at for name, (at, _) in CLOCKS.items()
    }
    on = catalog.allowed_ids(model, PhotoFilter(after=DAY.replace(hour=9)))
    assert sorted(photo.path.name for photo in catalog.photos(on)) == sorted(
        name for name, (at, _) in CLOCKS.items() if at and at >= DAY.replace(hour=9)
    )


def test_of_one_instant_the_latest_to_come_is_first_page_by_page(catalog, root, model):
    clocks = [(DAY.replace(hour=hour), (hour - 1) * 60) for hour in (3, 1, 5, 2, 4)] + [(None, None)] * 5
    photos = [new(f"{at}.jpg", taken_at=clock, taken_offset_min=ahead) for at, (clock, ahead) in enumerate(clocks)]
    ids = catalog.store(root, photos, model, vectors(len(photos)))
    expected = [*reversed(ids[:5]), *reversed(ids[5:])]
    assert [catalog.newest(None, limit=1, offset=at) for at in range(10)] == [[number] for number in expected]


def test_a_photo_that_is_described_again_moves_to_its_instant(catalog, root, model):
    ids = stored(catalog, root, model)
    turned = [*ORDER[1:], ORDER[0]]
    catalog.describe(
        [DescribedPhoto(ids[name], said(other), 1, 2, "") for name, other in zip(ids, turned, strict=True)]
    )
    now = dict(zip(turned, ids, strict=True))
    assert order(catalog) == [now[name] for name in ORDER]


def test_copies_failures_and_new_pictures_carry_the_instant_of_what_they_say(catalog, root, model):
    ids = stored(catalog, root, model)
    tokyo = next(photo for photo in catalog.photos([ids["tokyo.jpg"]]))
    copies = [
        CopiedPhoto("copy.jpg", 10, 1, tokyo.content_hash, ids["tokyo.jpg"]),
        CopiedPhoto("own.jpg", 10, 1, tokyo.content_hash, ids["tokyo.jpg"], metadata=said("lima.jpg")),
    ]
    copy, _ = catalog.store_copies(root, copies)
    assert order(catalog)[1:3] == ["own.jpg", "lima.jpg"]
    assert [photo.taken_instant_us for photo in catalog.photos([copy])] == [tokyo.taken_instant_us]
    catalog.store(root, [new("tokyo.jpg", "another", taken_at=datetime.max, taken_offset_min=-721)], model, vectors(1))
    assert order(catalog)[0] == "tokyo.jpg"
    catalog.fail(root, [FailedPhoto("tokyo.jpg", 1, 2, "broken")])
    assert catalog.photo(ids["tokyo.jpg"]).taken_instant_us is None


@pytest.mark.parametrize("undated", [0, 1, 2], ids=["all dated", "mixed", "none dated"])
def test_a_first_page_reads_no_more_than_it_shows(catalog, root, model, undated):
    """Of photos with dates, without any, and of both: in the order of an index, not sorted."""
    photos = [
        new(f"{at}.jpg", taken_at=None if at % 2 < undated else DAY + timedelta(hours=at), taken_offset_min=None)
        for at in range(600)
    ]
    catalog.store(root, photos, model, vectors(len(photos)))
    asked = []
    event.listen(catalog.engine, "before_cursor_execute", lambda *call: asked.append(call[2:4]))
    assert len(catalog.newest(None, limit=7)) == 7
    with reading(catalog.engine) as connection:
        [(statement, values)] = [call for call in asked if "ORDER BY" in call[0]]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        due = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT 1 FROM photos INDEXED BY ix_photos_instant_due "
            "WHERE taken_at IS NOT NULL AND taken_instant_us IS NULL LIMIT 1"
        ).all()
    assert [row[-1] for row in plan] == ["SCAN photos USING INDEX ix_photos_taken_instant_us"]
    assert all("ix_photos_instant_due" in row[-1] for row in due)


def test_the_zone_of_a_library_stays_wherever_it_is_opened(tmp_path, monkeypatch):
    """Two photos of one camera, of which one is indexed on a journey, stay in order."""
    for zone, name in (("Asia/Tokyo", "b.jpg"), ("America/Lima", "a.jpg")):
        monkeypatch.setenv("TZ", zone)
        catalog = Catalog(open_database(tmp_path / "library"))
        model, root = catalog.model("tiny", "f1", DIM).id, catalog.add_root(tmp_path / "photos")[0]
        at = DAY.replace(minute=1 if name == "b.jpg" else 0)
        catalog.store(root.id, [new(name, taken_at=at, taken_offset_min=None)], model, vectors(1))
        assert order(catalog)[0] == "b.jpg"
        catalog.close()


def insert_old(connection):
    """As a picsift before the instants writes photos."""
    connection.execute(text("INSERT INTO roots (id, path) VALUES (1, '/p')"))
    connection.execute(text("INSERT INTO folders (id, root_id, path) VALUES (1, 1, '')"))
    photo = text(
        "INSERT INTO photos (folder_id, name, size, mtime_ns, content_hash, state, indexed_at, taken_at, "
        "taken_offset_min) VALUES (1, :name, 1, 1, 'ab', 'ok', '2026-01-01', :at, :ahead)"
    )
    for name, (at, ahead) in CLOCKS.items():
        written = at and at.isoformat(" ", timespec="microseconds")
        connection.execute(photo, {"name": name, "at": written, "ahead": ahead})


@pytest.fixture(scope="module", params=range(1, 10))
def old(request, tmp_path_factory):
    """A library with photos, of a schema that knew no instants."""
    folder = tmp_path_factory.mktemp("old")
    engine = database._engine(folder / database.FILE_NAME)
    with writing(engine) as connection:
        migrations.upgrade(connection, f"{request.param:04}")
        insert_old(connection)
    engine.dispose()
    return folder


@pytest.mark.fresh_schema
def test_photos_of_an_older_library_are_given_their_instants(old, monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    catalog = Catalog(open_database(old))
    assert order(catalog) == ORDER
    catalog.close()


@pytest.mark.fresh_schema
def test_an_upgrade_that_breaks_off_leaves_the_older_library_whole(tmp_path, monkeypatch, caplog):
    engine = database._engine(tmp_path / database.FILE_NAME)
    with writing(engine) as connection:
        migrations.upgrade(connection, "0009")
        insert_old(connection)
    engine.dispose()
    whole = instants.settle_all

    def stopped(connection):
        whole(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(instants, "settle_all", stopped)
        patched.setattr(instants, "MANY", len(CLOCKS) - 1)
        open_database(tmp_path)
    assert "6 photos in order of date" in caplog.text, "a person is told why nothing else happens"
    caplog.clear()
    with reading(database._engine(tmp_path / database.FILE_NAME)) as connection:
        assert database.schema_version(connection) == 9
        assert connection.execute(text("SELECT count(*) FROM photos")).scalar() == len(CLOCKS)
    Catalog(open_database(tmp_path)).close()
    assert caplog.text == "", "of few photos it takes no time"


def by_hand(catalog, *statements):
    """As a picsift before the instants writes, in transactions that settle nothing."""
    with database._transaction(catalog.engine) as connection:
        for statement in statements:
            connection.execute(text(statement))


def instants_of(catalog, ids):
    return {photo.path.name: photo.taken_instant_us for photo in catalog.photos([*ids.values()])}


def test_what_an_older_picsift_dates_anew_is_ordered_by_it_from_the_next_write_on(catalog, root, model):
    ids = stored(catalog, root, model)
    before = instants_of(catalog, ids)
    by_hand(
        catalog,
        "UPDATE photos SET taken_at = '2024-05-06 23:00:00.000000' WHERE name = 'london.jpg'",
        "UPDATE photos SET taken_offset_min = 1 WHERE name = 'tokyo.jpg'",
        "UPDATE photos SET taken_at = NULL, taken_offset_min = NULL WHERE name = 'last.jpg'",
        "UPDATE photos SET taken_at = taken_at, taken_offset_min = taken_offset_min, title = 'as it was'",
    )
    stale = {name: instant for name, instant in instants_of(catalog, ids).items() if instant != before[name]}
    assert stale == dict.fromkeys(("london.jpg", "tokyo.jpg", "last.jpg"))
    catalog.set_setting("any", "thing")
    assert order(catalog) == [
        *("london.jpg", "tokyo.jpg", "lima.jpg", "camera.jpg", "first.jpg"),
        *("last.jpg", "undated.jpg"),
    ]


def test_a_date_of_another_clock_and_the_same_instant_keeps_it(catalog, root, model):
    ids = stored(catalog, root, model)
    before = instants_of(catalog, ids)
    at = PhotoMetadata(taken_at=DAY.replace(hour=3), taken_offset_min=120, taken_source="original")
    catalog.describe([DescribedPhoto(ids["tokyo.jpg"], at, 1, 2, "")])
    assert catalog.photo(ids["tokyo.jpg"]).taken_at == DAY.replace(hour=3)
    assert instants_of(catalog, ids) == before


@pytest.mark.parametrize("offset", [160_000_000_000, -160_000_000_000, 10**18, 1e300, "'far'"])
def test_an_offset_that_leads_out_of_all_numbers_counts_as_no_date(catalog, root, model, offset):
    ids = stored(catalog, root, model)
    by_hand(catalog, f"UPDATE photos SET taken_offset_min = {offset} WHERE name = 'tokyo.jpg'")
    catalog.set_setting("any", "thing")
    with reading(catalog.engine) as connection:
        instant = text("SELECT taken_instant_us FROM photos WHERE name = 'tokyo.jpg'")
        assert connection.execute(instant).scalar() == -(2**63)
    assert [ids["tokyo.jpg"], ids["undated.jpg"]] == catalog.newest(None, limit=50)[-2:]


@pytest.mark.parametrize("hindrance", ["held", "read-only"])
def test_a_library_with_dates_that_are_due_opens_where_it_cannot_be_written(
    catalog, root, model, hindrance, monkeypatch
):
    stored(catalog, root, model)
    by_hand(catalog, "UPDATE photos SET taken_offset_min = 1 WHERE name = 'tokyo.jpg'")
    monkeypatch.setattr("indexer.catalog.files.database_trouble.BUSY_TIMEOUT_S", 0)
    if hindrance == "read-only":
        monkeypatch.setattr(database, "_PRAGMAS", (*database._PRAGMAS, "PRAGMA query_only = ON"))
    with database._transaction(catalog.engine):
        other = Catalog(open_database(database.file_of(catalog.engine).parent))
    assert {*order(other)[-2:]} == {"undated.jpg", "tokyo.jpg"}
    other.close()


@pytest.mark.parametrize("damage", ["no date", "2024-13-45 00:00:00"])
def test_photos_that_an_older_picsift_wrote_after_the_upgrade_are_dated_at_the_next_start(tmp_path, damage):
    engine = open_database(tmp_path)
    in_berlin(engine)
    with database._transaction(engine) as connection:
        insert_old(connection)
    engine.dispose()
    catalog = Catalog(open_database(tmp_path))
    assert order(catalog) == ORDER
    with database._transaction(
        catalog.engine
    ) as connection:  # what is no date does not keep a library from being opened
        values = {"damage": damage, "name": "lima.jpg"}
        change = "UPDATE photos SET taken_at = :damage, taken_instant_us = NULL WHERE name = :name"
        connection.execute(text(change), values)
    catalog.close()
    engine = open_database(tmp_path)
    with reading(engine) as connection:
        lacking = "SELECT count(*) FROM photos WHERE taken_instant_us IS NULL"
        assert connection.execute(text(lacking)).scalar() == 1
    engine.dispose()
