"""Opening the library's database: made, upgraded, refused, and explained."""

import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError

from indexer.catalog import database, migrations
from indexer.catalog.database import open_database, reading, schema_version, writing
from indexer.catalog.files import database_trouble
from indexer.catalog.tables.photo_tables import Base
from indexer.errors import LibraryError, LibraryLockedError, NewerLibraryError
from tests import forked_code

pytestmark = pytest.mark.fresh_schema

VERSIONS = Path(migrations.__file__).parent / "versions"


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def statements(connection) -> "dict[str, str]":
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}


def differences(connection) -> "list[object]":
    """Between the tables and what is declared; the index of words is FTS5's, and compared as text."""
    options = {"include_name": lambda name, kind, _: kind != "table" or not name.startswith("photo_words")}
    return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def test_a_new_library_has_the_schema_that_the_tables_declare(tmp_path):
    with reading(open_database(tmp_path / "lib")) as connection:
        assert schema_version(connection) == database.SCHEMA_VERSION
        assert differences(connection) == []
        made = statements(connection)
    declared = create_engine("sqlite://")
    Base.metadata.create_all(declared)
    with declared.connect() as connection:
        assert made == statements(connection)  # checks, partial indexes and the numbering of ids too
    declared.dispose()


def test_the_schema_version_is_the_last_migration():
    assert len(list(VERSIONS.glob("[0-9]*.py"))) == database.SCHEMA_VERSION


@pytest.mark.synced
def test_the_database_is_in_wal_mode_with_foreign_keys_and_full_sync(tmp_path):
    with reading(open_database(tmp_path)) as connection:
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys")]
        assert values == ["wal", 1]
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_opening_an_up_to_date_library_does_not_import_alembic(tmp_path):
    open_database(tmp_path).dispose()
    code = (
        "import sys; from pathlib import Path; from indexer.catalog.database import open_database\n"
        "open_database(Path(sys.argv[1])); print('alembic' in sys.modules)"
    )
    assert run(code, str(tmp_path)).stdout == "False\n"


@pytest.mark.parametrize("name", ["100% mine", "a?b#c&d=e", "ünï 写真", "quote'\"s"])
def test_a_library_may_have_any_name(tmp_path, name):
    open_database(tmp_path / name).dispose()
    assert (tmp_path / name / "catalog.db").exists()
    open_database(tmp_path / name).dispose()


def test_a_library_may_have_a_name_that_is_no_utf8(tmp_path):
    library = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    open_database(library).dispose()
    open_database(library).dispose()
    assert (library / "catalog.db").is_file()


def test_migrations_run_from_a_package_in_a_folder_with_a_percent_sign(tmp_path):
    # As installed elsewhere: the steps are found beside the package, not beside the working directory.
    site = tmp_path / "50% off"
    shutil.copytree(Path(database.__file__).parents[1], site / "indexer")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; import indexer.catalog.database as d\n"
        "d.open_database(Path(sys.argv[2])); print(d.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(site), str(tmp_path / "lib")],
        **{"capture_output": True, "text": True, "cwd": tmp_path, "check": True},
    )
    assert done.stdout.strip().startswith(str(site))


OPEN = """
import json
import sys
import traceback
from pathlib import Path
from sqlalchemy import text
import indexer.catalog.migrations  # what takes time is loaded before the race begins
from indexer.catalog.database import writing
from indexer.library import open_library
print("ready", flush=True)
for line in sys.stdin:
    try:
        for folder in json.loads(line):
            catalog = open_library(Path(folder), create=True).catalog
            with writing(catalog.engine) as connection:
                connection.execute(text("UPDATE settings SET value = value"))
            catalog.close()
        print("done", flush=True)
    except Exception:
        print(repr(traceback.format_exc()), flush=True)
"""


@pytest.fixture(scope="module")
def others():
    """Four processes, each of which opens the libraries that a line names, in their order; then it says so."""
    processes = [forked_code.Started(OPEN) for _ in range(4)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
    yield processes
    for process in processes:
        assert (*process.communicate(timeout=120), process.returncode) == ("", "", 0)


@pytest.fixture(scope="module")
def make_old(tmp_path_factory):
    """Makes the library that the picsift of a schema left: a copy, since the steps to it take far longer."""
    made = {}

    def make(folder, version):
        if version not in made:
            made[version] = tmp_path_factory.mktemp("old") / database.FILE_NAME
            engine = database._engine(made[version], foreign_keys=False)
            with writing(engine) as connection:
                migrations.upgrade(connection, f"{version:04}")
            engine.dispose()
        folder.mkdir()
        for part in made[version].parent.iterdir():  # of a file with a log beside it, both
            shutil.copy(part, folder)

    return make


@pytest.mark.parametrize("version", range(database.SCHEMA_VERSION))
def test_processes_may_make_or_upgrade_a_library_at_once(tmp_path, others, make_old, version):
    """Version 0 is a new library."""
    folders = [tmp_path / f"library-{number}" for number in range(12)]
    for folder in folders if version else ():
        make_old(folder, version)
    for process in others:
        process.stdin.write(json.dumps([*map(str, folders)]) + "\n")
        process.stdin.flush()
    assert [process.stdout.readline() for process in others] == ["done\n"] * 4
    for folder in folders:
        with reading(open_database(folder)) as connection:
            assert schema_version(connection) == database.SCHEMA_VERSION


@pytest.mark.parametrize("held", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", "BEGIN; SELECT * FROM sqlite_master"])
@pytest.mark.parametrize("version", range(database.SCHEMA_VERSION))
def test_a_library_that_is_busy_is_waited_for(tmp_path, make_old, version, held):
    """Also where SQLite itself waits for nothing: when another writes while the journal's mode is to change."""
    if version:
        make_old(tmp_path / "lib", version)
    (tmp_path / "lib").mkdir(exist_ok=True)
    other = sqlite3.connect(tmp_path / "lib" / "catalog.db", isolation_level=None, check_same_thread=False)
    for statement in held.split("; "):
        other.execute(statement).fetchall()
    freed = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
    freed.start()
    try:
        open_database(tmp_path / "lib").dispose()
        assert freed.finished.is_set()
    finally:
        freed.join()
        other.close()


def test_seconds_are_only_named_after_they_have_passed(tmp_path, monkeypatch):
    monkeypatch.setattr(database_trouble, "BUSY_TIMEOUT_S", 2)
    with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        with pytest.raises(LibraryLockedError) as refused:
            open_database(tmp_path)
    named = re.search(r"busy with another process for (\d+) seconds", str(refused.value))
    assert 2 <= int(named[1]) <= time.monotonic() - begun + 0.5


def make_version(library: Path, version: str, written_by: str | None) -> None:
    engine = open_database(library)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
        connection.execute(text("UPDATE settings SET value = :v"), {"v": written_by or ""})
    engine.dispose()  # the last connection to go writes into the file what stands in the log


def test_a_newer_library_is_refused_with_both_versions_and_left_alone(tmp_path):
    make_version(tmp_path, "0017", "2.4")
    before = (tmp_path / "catalog.db").read_bytes()
    with pytest.raises(NewerLibraryError) as caught:
        open_database(tmp_path)
    message = str(caught.value)
    assert f"the library at {tmp_path} was written by picsift 2.4 (schema 17)" in message
    assert f"(schema {database.SCHEMA_VERSION})" in message
    assert message.endswith("Upgrade picsift, or name another library with --library.")
    assert (tmp_path / "catalog.db").read_bytes() == before


def test_a_newer_library_without_a_note_of_its_writer_is_refused_too(tmp_path):
    make_version(tmp_path, "0017", None)
    with writing(database._engine(tmp_path / "catalog.db")) as connection:
        connection.execute(text("DROP TABLE settings"))
    with pytest.raises(NewerLibraryError, match="written by a newer picsift \\(schema 17\\)"):
        open_database(tmp_path)


@pytest.mark.parametrize("content", [b"I am no database at all. " * 100, b"\xff\xd8\xff"])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path, content):
    (tmp_path / "catalog.db").write_bytes(content)
    with pytest.raises(LibraryError, match=r"catalog.db is not a database.*--library"):
        open_database(tmp_path)
    assert (tmp_path / "catalog.db").read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as other, other:
        other.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(LibraryError, match="is a database, but not a picsift library"):
        open_database(tmp_path)
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]


def test_a_damaged_database_is_explained(tmp_path):
    with writing(open_database(tmp_path)) as connection:
        connection.execute(text("INSERT INTO settings VALUES ('a', :v)"), {"v": "x" * 200_000})
    content = bytearray((tmp_path / "catalog.db").read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    for file in tmp_path.iterdir():
        file.unlink()
    (tmp_path / "catalog.db").write_bytes(content)
    with pytest.raises(LibraryError, match="is damaged"), reading(open_database(tmp_path)) as connection:
        connection.execute(text("SELECT * FROM settings")).all()


def test_a_file_in_the_place_of_the_library_is_explained(tmp_path):
    (tmp_path / "lib").write_text("hello")
    for library in (tmp_path / "lib", tmp_path / "lib" / "below"):
        with pytest.raises(LibraryError, match="a file is in the way"):
            open_database(library)


def test_a_folder_in_the_place_of_the_database_is_explained(tmp_path):
    (tmp_path / "catalog.db").mkdir()
    with pytest.raises(LibraryError, match="cannot be opened for writing"):
        open_database(tmp_path)


def test_a_folder_without_permission_is_explained(tmp_path):
    """In a process of its own: root may do anything, so that it has to become somebody else first."""
    code = (
        "import os, sys; from pathlib import Path; import sqlite3\n"
        "from indexer.catalog.database import open_database; from indexer.errors import LibraryError\n"
        "os.geteuid() or os.setuid(65534)\n"
        "for folder in sys.argv[1:]:\n"
        "    try: open_database(Path(folder))\n"
        "    except LibraryError as error: print(error)\n"
    )
    shelf = Path("/tmp") / f"picsift-{os.getpid()}"  # tmp_path itself is closed to others
    shelf.mkdir()
    try:
        open_database(shelf / "lib").dispose()
        (shelf / "bare").mkdir()
        for folder in (shelf / "lib", shelf / "bare"):
            folder.chmod(0o555)
        (shelf / "lib" / "catalog.db").chmod(0o444)
        (shelf).chmod(0o555)
        done = forked_code.run(code, shelf / "lib", shelf / "bare", shelf / "new")
    finally:
        shelf.chmod(0o755)
        for folder in (shelf / "lib", shelf / "bare"):
            folder.chmod(0o755)
        shutil.rmtree(shelf)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert "lib/catalog.db cannot be opened for writing" in lines[0]
    assert "bare/catalog.db cannot be opened for writing" in lines[1]
    assert "new cannot be made: Permission denied" in lines[2]


def test_a_full_disk_is_explained_and_loses_nothing(tmp_path):
    engine = open_database(tmp_path)
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO settings VALUES ('kept', '1')"))
    with pytest.raises(LibraryError, match=r"disk that holds the library at .* is full"), writing(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite's own way to run out of room
        connection.execute(text("INSERT INTO settings VALUES ('lost', :v)"), {"v": "x" * 5_000_000})
    engine.dispose()
    with reading(open_database(tmp_path)) as connection:
        keys = set(connection.execute(text("SELECT key FROM settings")).scalars())
    assert "kept" in keys and "lost" not in keys


def test_a_file_system_that_takes_no_more_is_explained(tmp_path):
    engine = open_database(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        with pytest.raises(LibraryError, match=r"Check that the disk|is full"), writing(engine) as connection:
            connection.execute(text("INSERT INTO settings VALUES ('big', :v)"), {"v": "x" * 5_000_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)


def test_a_transaction_that_fails_leaves_nothing_and_shows_its_own_error(tmp_path):
    engine = open_database(tmp_path)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(text("INSERT INTO settings VALUES ('a', '1')"))
        connection.execute(text("INSERT INTO settings VALUES ('a', '2')"))
    with pytest.raises(KeyError), writing(engine) as connection:
        connection.execute(text("INSERT INTO settings VALUES ('b', '1')"))
        raise KeyError
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM settings WHERE key IN ('a', 'b')")).scalar() == 0


def test_a_writer_waits_for_another_and_says_who_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setattr(database_trouble, "BUSY_TIMEOUT_S", 0.1)
    engine = open_database(tmp_path)
    with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LibraryLockedError, match="busy with another process"), writing(engine):
            pass
        with reading(engine) as connection:  # reading goes on
            assert schema_version(connection) == database.SCHEMA_VERSION
        other.execute("ROLLBACK")
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO settings VALUES ('a', '1')"))


def test_a_kill_during_the_first_migration_leaves_a_file_that_opens(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from indexer.catalog import database, migrations\n"
        "done = migrations.upgrade\n"
        "def killed(connection): done(connection); os.kill(os.getpid(), 9)\n"
        "migrations.upgrade = killed; database.open_database(Path(sys.argv[1]))"
    )
    assert forked_code.run(code, tmp_path).returncode == -9
    with reading(database._engine(tmp_path / "catalog.db")) as connection:
        assert schema_version(connection) == 0
    with reading(open_database(tmp_path)) as connection:
        assert schema_version(connection) == database.SCHEMA_VERSION


@pytest.mark.parametrize("version", range(1, database.SCHEMA_VERSION))
def test_a_library_of_every_older_schema_is_brought_up_to_date_with_its_photos(tmp_path, version):
    engine = database._engine(tmp_path / "catalog.db")
    with writing(engine) as connection:
        migrations.upgrade(connection, f"{version:04}")
        connection.execute(text("INSERT INTO roots (id, path) VALUES (1, '/p')"))
        connection.execute(text("INSERT INTO folders (id, root_id, path) VALUES (1, 1, 'a')"))
        connection.execute(
            text(
                "INSERT INTO photos (id, folder_id, name, size, mtime_ns, content_hash, state, indexed_at) "
                "VALUES (7, 1, 'x.jpg', 1, 1, 'ab', 'ok', '2026-01-01')"
            )
        )
    engine.dispose()
    with reading(open_database(tmp_path)) as connection:
        assert schema_version(connection) == database.SCHEMA_VERSION
        assert differences(connection) == []
        row = connection.execute(text("SELECT name, content_hash, duration_s, poster_s FROM photos")).one()
        assert tuple(row) == ("x.jpg", "ab", None, None)


def test_rows_that_point_nowhere_stop_an_upgrade(tmp_path, monkeypatch):
    done = migrations.upgrade

    def careless(connection):
        done(connection)
        connection.execute(text("INSERT INTO folders (root_id, path) VALUES (99, 'a')"))

    monkeypatch.setattr(migrations, "upgrade", careless)
    with pytest.raises(LibraryError, match="1 of its rows would point nowhere, the first in folders"):
        open_database(tmp_path)


def test_threads_that_read_at_once_keep_their_connections_and_the_last_one_is_taken_first(tmp_path):
    engine, opened = open_database(tmp_path), []
    event.listen(engine, "connect", lambda *_: opened.append(1))
    for _ in range(3):
        with ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(reading(engine))
    assert len(opened) <= 8  # the one that opened it is there yet
    for _ in range(20):
        with reading(engine) as connection:
            assert not opened.append(id(connection.connection.driver_connection))
    assert len(set(opened[-20:])) == 1  # rather than one after the other, each with pages of its own
    engine.dispose()
