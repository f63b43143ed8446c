"""The number that tells of every change of the database, by whomever."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import FILE_NAME, open_database
from indexer.errors import LibraryError
from tests import forked_code
from tests.indexer.processes import wait_until


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "a library #1 with %20"))
    yield catalog
    catalog.close()


def test_it_stays_while_nothing_changes_and_moves_with_every_commit(catalog, tmp_path):
    first = catalog.version()
    catalog.counts()
    assert catalog.version() == first
    catalog.add_root(tmp_path)
    second = catalog.version()
    assert second != first
    catalog.note_scan(catalog.roots()[0].id, "cut short")
    assert catalog.version() not in (first, second)


def test_another_process_moves_it(catalog, tmp_path):
    first = catalog.version()
    code = (
        "import sys; from pathlib import Path; from indexer.catalog.catalog import Catalog; "
        "from indexer.catalog.database import open_database; "
        "Catalog(open_database(Path(sys.argv[1]))).add_root(Path('/'))"
    )
    assert forked_code.run(code, tmp_path / "a library #1 with %20").returncode == 0
    assert catalog.version() != first


def test_a_thread_that_holds_it_is_told_that_of_the_beginning_and_no_other_thread_is(catalog, tmp_path):
    with ThreadPoolExecutor(1) as other:
        with catalog.version.held() as first:
            catalog.add_root(tmp_path)
            assert catalog.version() == first != catalog.version.now()
            assert other.submit(catalog.version).result() == catalog.version.now()
        assert catalog.version() == catalog.version.now() != first


def test_who_holds_it_asks_anew_and_holds_that(catalog, tmp_path):
    with catalog.version.held() as first:
        catalog.add_root(tmp_path)
        second = catalog.version.anew()
        assert catalog.version() == second != first
        catalog.note_scan(catalog.roots()[0].id, "cut short")
        assert catalog.version() == second
    third = catalog.version.anew()
    catalog.note_scan(catalog.roots()[0].id, "whole")
    assert catalog.version() != third  # which nobody holds


def test_one_within_another_lets_go_of_its_own(catalog, tmp_path):
    with catalog.version.held() as first:
        catalog.add_root(tmp_path)
        with catalog.version.held() as second:
            assert catalog.version() == second != first
        assert catalog.version() == first
    assert catalog.version() == second


def test_it_is_let_go_of_by_an_error_too(catalog, tmp_path):
    with pytest.raises(ZeroDivisionError), catalog.version.held() as first:
        1 / 0  # noqa: B018
    catalog.add_root(tmp_path)
    assert catalog.version() != first


def test_after_closing_it_is_another_one(catalog):
    first = catalog.version()
    catalog.close()
    assert catalog.version() != first


def test_a_library_that_is_gone_is_not_made_anew(catalog, tmp_path):
    catalog.close()
    file = tmp_path / "a library #1 with %20" / FILE_NAME
    file.unlink()
    with pytest.raises(LibraryError):
        catalog.version()
    assert not file.exists()


def test_it_says_whether_the_file_is_still_the_one_of_a_version(catalog, tmp_path):
    opened = catalog.version()[0]
    catalog.add_root(tmp_path)
    assert catalog.version.is_still(opened)
    assert not catalog.version.is_still(opened + 1)
    file = tmp_path / "a library #1 with %20" / FILE_NAME
    copy = file.with_name("a copy")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.replace(file)
    assert not catalog.version.is_still(opened)
    other = catalog.version()[0]
    assert catalog.version.is_still(other)
    assert not catalog.version.is_still(opened)
    file.unlink()
    with pytest.raises(LibraryError, match="is not there any more"):
        catalog.version.is_still(other)


def test_it_keeps_no_snapshot_for_which_the_log_would_have_to_grow(catalog, tmp_path):
    catalog.version()
    catalog.add_root(tmp_path)
    with closing(sqlite3.connect(tmp_path / "a library #1 with %20" / FILE_NAME, timeout=0)) as other:
        busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy


def test_threads_that_wait_for_one_another_share_a_look_that_began_after_they_asked(catalog, tmp_path, monkeypatch):
    version, looks, go = catalog.version, [], threading.Event()
    look = version._asked

    def slow():
        found = look()  # before the change below
        looks.append(found)
        if len(looks) == 1:
            assert go.wait(60)
        return found

    waiting = []

    class Counting:
        """The lock, which says who waits for it; whoever does has asked."""

        def __init__(self, lock):
            self.lock = lock

        def __enter__(self):
            waiting.append(threading.get_ident())
            self.lock.acquire()

        def __exit__(self, *_):
            self.lock.release()

    monkeypatch.setattr(version, "_lock", Counting(version._lock))
    monkeypatch.setattr(version, "_asked", slow)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(version.now)
        wait_until(lambda: looks)
        catalog.add_root(tmp_path)
        others = [threads.submit(version.now) for _ in range(8)]
        wait_until(lambda: len(waiting) == 9)
        go.set()
        seen = {one.result(60) for one in others}
    assert len(looks) == 2, "the eight that waited share one look"
    assert seen == {version.now()} != {first.result()}
