"""What one photo that comes, changes or goes costs does not grow with the library: counted, not timed."""

import math
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from indexer import finishing
from indexer.catalog.database import writing
from indexer.finishing import update_index
from indexer.folders import looking, relocating
from indexer.library import open_library
from indexer.pipeline import sync
from indexer.vectors.repair import refresh
from indexer.workers.isolation import WorkerPool
from tests.indexer.following import following, wait_until
from tests.indexer.worlds import draw

ROWS = 5_000
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :rows) "
FILL = (
    NUMBERS + "INSERT INTO folders (root_id, path) SELECT :root, printf('other/%05d', i) FROM n WHERE i % 100 = 0",
    NUMBERS
    + "INSERT INTO photos (folder_id, name, size, mtime_ns, ctime_ns, inode, content_hash, state, sidecar, indexed_at) "
    "SELECT f.id, printf('%07d.jpg', i), 1000000 + i, i, 1, 1, printf('%064x', i), 'ok', '', '2026-01-01 00:00:00' "
    "FROM n JOIN folders f ON f.root_id = :root AND f.path = printf('other/%05d', i - i % 100)",
    "INSERT INTO embeddings (model_id, photo_id, vector, generation) SELECT :model, p.id, e.vector, 1 "
    "FROM photos p, (SELECT vector FROM embeddings LIMIT 1) e WHERE p.size >= 1000000",
    "INSERT INTO companions (photo_id, name, size, mtime_ns, agreed) SELECT id, name || '.dng', 1, 1, 'x' FROM photos "
    "WHERE size >= 1000000 AND id % 3 = 0",
)


def fill(world):
    """Photos in other folders of the root, as runs before would have left them."""
    (root,) = world.library.catalog.root_paths()
    values = {"rows": ROWS, "root": root.id, "model": world.active.id}
    with writing(world.library.catalog.engine) as connection:
        for statement in FILL:
            connection.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})


@contextmanager
def counting(world):
    """Gives a list of one number: how many instructions SQLite has worked off, in tens."""
    count, engine = [0], world.library.catalog.engine

    def step():
        count[0] += 1

    def checkout(connection, *_):
        connection.set_progress_handler(step, 10)

    event.listen(engine, "checkout", checkout)
    try:
        yield count
    finally:
        event.remove(engine, "checkout", checkout)


def events(world):
    here = world.photos / "here"
    yield "new", lambda: world.write("here/new.png", 50)
    yield "changed", lambda: world.write("here/new.png", 51)
    yield "moved", lambda: (here / "new.png").rename(here / "moved.png")
    yield "removed", (here / "moved.png").unlink
    yield "nothing", lambda: None


def costs(world, pool):
    """By event the work of the catalog's database for a run over the one folder in which it happened."""
    found = {}
    for kind, happen in events(world):
        happen()
        with counting(world) as count:
            world.sync(world.photos / "here", workers=1, pool=pool, lazy_index=True)
        found[kind] = count[0]
    return found


def test_the_work_of_the_database_is_that_of_the_folder_where_it_happened(world, monkeypatch):
    monkeypatch.setattr(finishing, "BYTES_A_CHANGE", 0)  # however small the index file is
    for seed in range(5):
        world.write(f"here/{seed}.png", seed)
    with WorkerPool() as pool:
        world.sync(pool=pool)
        costs(world, pool)
        alone = costs(world, pool)
        fill(world)
        costs(world, pool)
        among_many = costs(world, pool)
    more = {kind: among_many[kind] - alone[kind] for kind in alone}
    assert max(more.values()) < 200, (alone, among_many)


@pytest.mark.parametrize("mode", ["native", "polling"])
def test_an_event_of_a_file_lists_its_folder_alone_however_much_lies_below(world, monkeypatch, mode):
    for folder in range(12):
        world.write(f"{folder}/below/a.png", folder)
    world.write("old.png", 20)
    listed, scan = [], looking.scan

    def counted(*args, **how):
        found = scan(*args, **how)
        listed.extend(visit.below for visit in found.visits)
        return found

    monkeypatch.setattr(looking, "scan", counted)
    with following(world, mode=mode) as daemon:
        daemon.wait_idle()
        listed.clear()
        (world.photos / "old.png").rename(world.photos / "moved.png")
        daemon.wait_for(moved=1)
        world.write("moved.png", 21)
        daemon.wait_for(updated=1)
        world.write("new.png", 22)
        daemon.wait_for(added=14)
        (world.photos / "new.png").unlink()
        daemon.wait_for(removed=1)
        assert set(listed) == {""}
        (world.photos / "3").rename(world.photos / "other")  # with what is below it
        daemon.wait_for(moved=2)
    world.assert_agreement()


def test_a_look_at_files_alone_costs_the_database_nothing_for_what_lies_below(world):
    for seed in range(5):
        world.write(f"{seed}.png", seed)
    world.sync()
    counted = {}
    for what in ("alone", "among many"):
        sync(world.library, world.embedder, [], shallow=[world.photos], workers=1, lazy_index=True)
        with counting(world) as count:
            report = sync(world.library, world.embedder, [], shallow=[world.photos], workers=1, lazy_index=True)
        counted[what] = count[0]
        assert (report.unchanged, report.removed) == (5, 0)
        if what == "alone":
            fill(world)
    assert counted["among many"] - counted["alone"] < 200, counted


@contextmanager
def statements(world):
    told, engine = [], world.library.catalog.engine

    def execute(connection, cursor, statement, *_):
        told.append(statement)

    event.listen(engine, "before_cursor_execute", execute)
    try:
        yield told
    finally:
        event.remove(engine, "before_cursor_execute", execute)


def test_a_batch_of_folders_asks_for_the_roots_once_and_writes_companions_once(world):
    counted = {}
    for folder in range(20):
        world.write(f"{folder:02}/a.png", folder)
        world.write(f"{folder:02}/a.dng", b"a RAW, by its name")
    world.sync()
    for number in (2, 20):
        with statements(world) as told:
            world.sync(*[world.photos / f"{folder:02}" for folder in range(number)])
        counted[number] = {
            what: sum(what in statement for statement in told)
            for what in ("FROM roots", "UPDATE roots", "FROM companions JOIN", "INTO companions")
        }
    assert counted[20] == counted[2]
    assert counted[2]["FROM roots"] <= 5


def test_a_path_is_looked_up_by_folder_and_name(world):
    world.write("a.png", 1)
    world.sync()
    catalog = world.library.catalog
    with statements(world) as told:
        catalog.photo_at(world.photos / "a.png")
    looked_up = next(statement for statement in told if "FROM photos" in statement and "photos.name IN" in statement)
    with writing(catalog.engine) as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {looked_up}", (1, "a.png")).all()
    assert "folder_id=? AND name=?" in str(plan), plan


@pytest.fixture
def lagging(world, monkeypatch):
    """A library whose index file counts as large."""
    monkeypatch.setattr(finishing, "BYTES_A_CHANGE", 0)
    for seed in range(6):
        world.write(f"{seed}.png", seed)
    world.sync()
    return world


def saved(world):
    """The pointer of the saved index: another one with each save."""
    return (world.library.index_folder(world.active) / "index.json").read_bytes()


def assert_found(world):
    """Whoever opens the index has what the catalog has, whatever was saved."""
    index, catalog = world.index(), world.library.catalog
    assert refresh(index, catalog, world.active.id) is None
    assert index.ids().tolist() == catalog.embedding_ids(world.active.id).tolist()
    for ids, vectors in catalog.embeddings(world.active.id):
        assert all((index.vector(int(i)) == vector).all() for i, vector in zip(ids, vectors, strict=True))


def test_a_large_index_file_is_left_behind_and_nothing_is_lost_by_that(lagging):
    world, before = lagging, saved(lagging)
    (world.photos / "0.png").unlink()
    world.write("new.png", 7)
    world.write("1.png", 8)
    world.sync(lazy_index=True)
    assert saved(world) == before
    assert_found(world)
    world.library.catalog.close()  # a kill: no more is written
    world.library = open_library(world.library_folder, create=False)
    assert_found(world)
    index = world.index()
    refresh(index, world.library.catalog, world.active.id)
    ids, _ = index.search(world.embedder.embed_images([draw(8)]), 1)[0]
    assert world.library.catalog.photo(int(ids[0])).path.name == "1.png"
    world.sync()
    assert saved(world) != before
    world.assert_agreement()


def test_the_daemon_leaves_a_large_index_file_behind_until_it_looks_at_everything(lagging):
    world = lagging
    with following(world, mode="native") as daemon:
        before = saved(world)
        world.write("new.png", 7)
        daemon.wait_for(added=1)
        assert saved(world) == before
        daemon.daemon._last_full = -math.inf
        wait_until(lambda: saved(world) != before, "the index is saved")
        daemon.wait_idle()
    world.assert_agreement()


def test_a_small_index_file_is_written_at_once(world):
    world.write("0.png", 0)
    world.write("1.png", 1)
    world.sync()
    before = saved(world)
    (world.photos / "0.png").unlink()
    world.sync(lazy_index=True)
    assert saved(world) != before
    world.assert_agreement()


@pytest.mark.parametrize(("bound", "value"), [("MOST_BEHIND", 2), ("BYTES_A_CHANGE", 100)])
def test_past_a_share_the_index_is_written(lagging, monkeypatch, bound, value):
    """It has six vectors of 16 numbers, and so 240 bytes."""
    monkeypatch.setattr(finishing, bound, value)
    world, before = lagging, saved(lagging)
    for number in range(1, 4):
        world.write(f"new{number}.png", 10 + number)
        world.sync(lazy_index=True)
        assert (saved(world) == before) is (number < 3)
    world.assert_agreement()


def test_an_index_of_another_past_is_made_anew_however_large_it_is(lagging):
    world, before = lagging, saved(lagging)
    with writing(world.library.catalog.engine) as connection:
        connection.execute(text("UPDATE generations SET token = 'another'"))
    assert "another past" in update_index(world.library, world.active, lazily=True)
    assert saved(world) != before
    world.assert_agreement()


def test_a_chain_of_moves_looks_at_each_file_a_few_times(world, monkeypatch):
    """Renamed from 0 on to the number after: each shows the one before it, and the last has a new name."""
    links, looked_at = 60, []
    for number in range(links):
        world.write(f"{number:02}.png", number)
    world.sync()
    numbers = {photo.path.name: photo.id for photo in world.library.catalog.photos(list(range(1, links + 1)))}
    for number in reversed(range(links)):
        (world.photos / f"{number:02}.png").rename(world.photos / f"{number + 1:02}.png")
    pair = relocating.pair

    def counted(gone, hashed):
        places = list(hashed)
        looked_at.append(len(places))
        return pair(gone, places)

    monkeypatch.setattr(relocating, "pair", counted)
    report = world.sync()
    assert (report.moved, report.added, report.removed) == (links, 0, 0)
    assert sum(looked_at) <= 4 * links
    for name, number in numbers.items():
        assert world.library.catalog.photo(number).path.name == f"{int(name[:2]) + 1:02}.png"
    world.assert_agreement()
