"""Another file in the place of an open database: what is read and written then is of the one or of the other."""

import gc
import shutil
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from indexer.catalog.catalog import Catalog
from indexer.catalog.columns.photo_filters import PhotoFilters
from indexer.catalog.database import FILE_NAME, open_database, reading, writing
from indexer.catalog.files import database_file, log_record
from indexer.catalog.files.database_file import DatabaseFile
from indexer.catalog.photo_filter import Bounds, PhotoFilter
from indexer.errors import LibraryError, LibraryLockedError
from indexer.library import open_library
from tests import forked_code
from tests.indexer.catalog_samples import DIM, new, vectors
from tests.indexer.following import following, wait_until

pytestmark = pytest.mark.on_disk  # which gives the number of a file that is gone to the next one
GOOD = PhotoFilter(rating=Bounds(3))
ASKING = (
    "import sys; from pathlib import Path\n"
    "from indexer.library import open_library\n"
    "catalog = open_library(Path(sys.argv[1]), create=False).catalog\n"
    "print([photo.path.name for photo in catalog.photos(range(1, 10))])\n"
    "catalog.close()\n"
)


class Kept:
    """A library with three photos, its backup of then, and five photos since."""

    def __init__(self, folder):
        self.folder = folder / "library"
        self.file, self.backup = self.folder / FILE_NAME, folder / "backup.db"
        self.library = open_library(self.folder, create=True)
        self.catalog = self.library.catalog
        self.model = self.catalog.model("one", "one", DIM).id
        self.root = self.catalog.add_root(folder / "photos")[0].id
        self.store("a", "b", "c")
        with closing(sqlite3.connect(self.file)) as source, closing(sqlite3.connect(self.backup)) as target:
            source.backup(target)
        self.catalog.remove([3])
        self.store("d", "e", "f", "g", "h")

    def store(self, *names):
        photos = [new(f"{name}.jpg", rating=4) for name in names]
        return self.catalog.store(self.root, photos, self.model, vectors(len(photos)))

    def names(self):
        return [photo.path.stem for photo in self.catalog.photos(range(1, 10))]

    def names_at_once(self, times):
        """What is read while so many connections are used."""
        with ExitStack() as stack:
            for _ in range(times):
                stack.enter_context(reading(self.catalog.engine)).exec_driver_sql("SELECT 1 FROM photos").fetchall()
            return self.names()

    def elsewhere(self, folder=None):
        """What another process finds."""
        done = forked_code.run(ASKING, folder or self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def assert_sound(self):
        self.catalog.close()
        with closing(sqlite3.connect(self.file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path)
    assert kept.names() == list("abdefgh")
    yield kept
    kept.catalog.close()


def test_what_lies_there_now_is_read_and_nothing_of_what_lay_there(kept):
    filters = PhotoFilters(kept.catalog)
    before = [filters.allowed(kept.model, GOOD).ids().tolist() for _ in range(2)]
    assert before == [[1, 2, 4, 5, 6, 7, 8]] * 2
    kept.backup.replace(kept.file)
    assert [filters.allowed(kept.model, GOOD).ids().tolist() for _ in range(3)] == [[1, 2, 3]] * 3
    assert kept.names() == list("abc")
    assert kept.store("i") == [4]
    assert kept.elsewhere() == "['a.jpg', 'b.jpg', 'c.jpg', 'i.jpg']"
    kept.assert_sound()


def test_columns_of_two_files_are_no_mixture(kept):
    filters = PhotoFilters(kept.catalog)
    for _ in range(2):
        filters.allowed(kept.model, GOOD)
    columns = filters._columns
    read = columns._reading

    def reading_after_the_restore():
        if kept.backup.exists():
            kept.backup.replace(kept.file)
        return read()

    columns._reading = reading_after_the_restore
    assert filters.allowed(kept.model, PhotoFilter(rating=Bounds(3), width=Bounds(1))).ids().tolist() == [1, 2, 3]


def test_another_process_lays_no_log_of_the_file_before_over_it(kept):
    """This one has not noticed anything yet, and its log still lies there, with commits that are nowhere else."""
    kept.backup.replace(kept.file)
    assert kept.elsewhere() == "['a.jpg', 'b.jpg', 'c.jpg']"
    assert kept.elsewhere() == "['a.jpg', 'b.jpg', 'c.jpg']"  # nor was it written into it
    assert kept.names() == list("abc")
    kept.assert_sound()


def test_a_file_that_was_moved_away_has_all_that_was_committed(kept, tmp_path):
    kept.file.rename(tmp_path / "before.db")
    kept.backup.rename(kept.file)
    assert kept.names() == list("abc")
    kept.catalog.close()
    with closing(sqlite3.connect(tmp_path / "before.db")) as connection:
        assert connection.execute("SELECT count(*) FROM photos").fetchone() == (7,)


def made_older(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0009'")
        connection.commit()


def made_newer(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def made_anothers(file):
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE recipes (name)")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (made_older, r"is of an older picsift \(schema 9\)"),
        (made_newer, r"was written by .* \(schema 9999\)"),
        (made_anothers, "is a database, but not a picsift library"),
        (lambda file: file.write_bytes(b""), "is empty, and was a library a moment ago"),
    ],
    ids=["older", "newer", "another's", "empty"],
)
def test_a_file_that_is_no_library_of_ours_is_told_and_not_asked(kept, tmp_path, spoil, said):
    away = kept.file.rename(tmp_path / "away.db")
    spoil(kept.backup)
    kept.backup.rename(kept.file)
    for _ in range(3):
        with pytest.raises(LibraryError, match=said):
            kept.names()
        with pytest.raises(LibraryError, match=said):
            kept.catalog.roots()
        with pytest.raises(LibraryError, match=said):
            kept.store("i")
    away.replace(kept.file)
    assert kept.names() == list("abdefgh")
    assert kept.store("i")
    kept.assert_sound()


def test_a_run_that_meets_another_file_writes_nothing_to_it(kept):
    with kept.library.writer_lock():
        kept.store("i")
        kept.backup.replace(kept.file)
        with pytest.raises(LibraryError, match="was replaced by another file"):
            kept.store("j")
        with pytest.raises(LibraryError, match="was replaced by another file"):
            kept.names()
    assert kept.names() == list("abc")
    with kept.library.writer_lock():
        assert kept.store("k") == [4]
    kept.assert_sound()


def test_a_transaction_that_was_open_ends_in_its_own_file(kept):
    with writing(kept.catalog.engine) as connection:
        connection.exec_driver_sql("UPDATE photos SET rating = 1 WHERE id < 3")
        kept.backup.replace(kept.file)
        connection.exec_driver_sql("DELETE FROM photos")
    assert kept.names() == list("abc")
    assert {photo.rating for photo in kept.catalog.photos([1, 2, 3])} == {4}
    kept.assert_sound()


def test_where_no_file_is_none_is_made_and_the_same_one_may_come_back(kept, tmp_path):
    away = kept.file.rename(tmp_path / "away.db")
    for ask in (kept.names, kept.catalog.version, lambda: kept.store("i")):
        with pytest.raises(LibraryError, match="is not there any more"):
            ask()
    assert not kept.file.exists()
    away.rename(kept.file)
    assert kept.names() == list("abdefgh")
    kept.assert_sound()


def test_a_file_that_was_replaced_and_comes_back_is_not_written_through_a_log_that_is_gone(kept, tmp_path):
    """Another process moved the log away meanwhile: SQLite would go on with it, and see no lock of the next one's."""
    kept.catalog.version()
    away = kept.file.rename(tmp_path / "away.db")
    kept.backup.rename(kept.file)
    assert "'c.jpg'" in kept.elsewhere()
    kept.file.unlink()
    away.rename(kept.file)
    shutil.copyfile(f"{kept.file}-wal-of-another", f"{kept.file}-wal")
    for ask in (lambda: kept.store("i"), kept.catalog.version):
        with pytest.raises(LibraryError, match="was taken away while it was in use"):
            ask()
    kept.assert_sound()
    assert kept.names() == list("abdefgh")


def test_nothing_is_kept_open_of_a_file_that_another_one_has_replaced(kept, tmp_path):
    assert kept.names_at_once(7) == list("abdefgh")
    away = kept.file.rename(tmp_path / "away.db")
    kept.backup.rename(kept.file)
    assert kept.names() == list("abc")
    if (descriptors := Path("/proc/self/fd")).is_dir():
        held = [one.stat().st_ino for one in descriptors.iterdir() if one.exists()]
        assert away.stat().st_ino not in held
    kept.file.unlink()
    away.rename(kept.file)
    assert kept.names_at_once(7) == list("abdefgh")
    kept.assert_sound()


def test_a_library_that_cannot_be_reached_for_a_moment_costs_no_place_for_a_connection(kept, tmp_path):
    """As a share that is away: what was in use then is given back while nobody knows what lies there."""
    for _ in range(3):
        with ExitStack() as stack:
            for _ in range(6):
                stack.enter_context(reading(kept.catalog.engine))
            away = kept.folder.rename(tmp_path / "away")
            kept.folder.touch()  # no folder
        kept.folder.unlink()
        away.rename(kept.folder)
    assert kept.catalog.engine.pool.checkedout() == 0
    assert kept.names() == list("abdefgh")
    kept.assert_sound()


def test_more_askers_than_connections_are_told_to_try_again(kept, monkeypatch):
    monkeypatch.setattr(kept.catalog.engine.pool, "_timeout", 0)
    with pytest.raises(LibraryLockedError, match="too much is asked of the library"):
        kept.names_at_once(30)
    assert kept.names() == list("abdefgh")


def test_a_copy_of_a_library_in_use_keeps_its_log(kept, tmp_path):
    shutil.copytree(kept.folder, tmp_path / "copy")
    assert (tmp_path / "copy" / f"{FILE_NAME}-wal").stat().st_size
    assert kept.elsewhere(tmp_path / "copy") == f"{[f'{name}.jpg' for name in 'abdefgh']}"


def test_a_connection_that_nobody_closed_counts_no_longer_as_one_that_reads_its_file(kept):
    connection = DatabaseFile(kept.file).connect()
    of, counted = connection.of, log_record._in_use[connection.of]
    del connection
    gc.collect()
    assert log_record._in_use[of] == counted - 1


def test_a_log_of_another_file_that_cannot_be_moved_away_is_told(kept, monkeypatch):
    kept.backup.replace(kept.file)

    def refuse(path, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(database_file.Path, "unlink", refuse)
    with pytest.raises(LibraryError, match="cannot be moved away"):
        open_database(kept.folder)


def test_a_daemon_goes_on_with_a_restored_library_and_looks_at_everything(world):
    world.write("a.png", 1)
    world.sync()
    file, backup = world.library.folder / FILE_NAME, world.photos.parent / "backup.db"
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    world.write("b.png", 2)
    with following(world):
        wait_until(lambda: world.names() == ["a.png", "b.png"], "the new photo")
        backup.replace(file)
        wait_until(lambda: Catalog(open_database(world.library.folder)).counts().photos == 2, "it is found again")
        wait_until(lambda: world.index().ids().tolist() == [1, 2], "the index follows")
    assert world.names() == ["a.png", "b.png"]
    world.sync()
    world.assert_agreement(kills=True)
