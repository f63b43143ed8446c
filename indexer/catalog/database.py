"""Opens the library's database, brings its schema up to date, and gives out transactions with errors a person can use.

The only module that knows it is an SQLite file. What is in the tables is the stores' business.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sqlalchemy import URL, NullPool, String, cast, create_engine, event, func, select, text

from indexer.catalog import instants
from indexer.catalog.files.database_file import DatabaseFile
from indexer.catalog.files.database_trouble import explained, explained_files, patiently
from indexer.catalog.files.file_connection import FileConnection
from indexer.catalog.files.schema import SCHEMA_VERSION, require_own, schema_version
from indexer.catalog.files.written_by import own_version
from indexer.errors import LibraryError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection, Engine, Select

FILE_NAME = "catalog.db"
IN_LIMIT = 10_000
"""Values in one IN list; SQLite takes 32,766 parameters in a statement."""

_WRITES, _IS_OPEN = "picsift_writes", "picsift_is_open"
_WRITTEN_BY = (
    "INSERT INTO settings (key, value) VALUES ('written_by', :version) ON CONFLICT (key) DO UPDATE SET value = :version"
)
_PRAGMAS = (
    # FULL, one fsync a commit: losing the last ones with the power would leave a vector index ahead of its truth.
    "PRAGMA synchronous = FULL",
    *("PRAGMA cache_size = -8192", "PRAGMA temp_store = MEMORY"),
)

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


def open_database(library: Path) -> Engine:
    """Open the catalog of a library folder, making it or upgrading its schema where that is due.

    Raises:
        NewerLibraryError: a newer picsift wrote it.
        LibraryLockedError: another process keeps it busy.
        LibraryError: it is no library, or cannot be read or written.
    """
    file = library / FILE_NAME
    with explained_files(library):
        library.mkdir(parents=True, exist_ok=True)
    engine = _engine(file, pool_size=8, pool_use_lifo=True)  # those that hold the most pages first
    try:
        with explained(file):
            found = patiently(file, lambda: _found_version(engine))
        if found > SCHEMA_VERSION:
            require_own(engine, found)
        if found < SCHEMA_VERSION:
            _migrate(file, library)
            engine.dispose()  # a connection from before the upgrade has an old idea of the file
        engine.update_execution_options(**{_IS_OPEN: True})
        _settle_what_others_left(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def check_schema(engine: Engine) -> None:
    """See that the schema is still the one that this code writes: others may upgrade or restore a library.

    Raises:
        NewerLibraryError: a newer picsift has upgraded it.
        LibraryError: it is an older one now.
    """
    file = file_of(engine)
    with explained(file):
        found = patiently(file, lambda: _found_version(engine))
    require_own(engine, found)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One snapshot of the database; other processes may write meanwhile. Raises LibraryError."""
    with explained(file_of(engine)), engine.connect() as connection:
        if engine.get_execution_options().get(_IS_OPEN, False):
            _check_replaced(connection)
        yield connection


def _check_replaced(connection: Connection) -> None:
    """See once of each connection that it is to a library of ours: another file may lie there since it was opened."""
    driver = _driver(connection)
    if not driver.is_checked:
        found = schema_version(connection)
        connection.rollback()  # the caller's transaction is of its own kind
        require_own(connection.engine, found)
        driver.is_checked = True


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: committed at the end, undone by any exception. Raises LibraryError.

    By then words that changed are indexed, those of very many photos in transactions behind it; dates have instants.
    """
    more = False
    with _transaction(engine) as connection:
        yield connection
        instants.settle(connection)
        if _has_due(connection):
            from indexer.catalog.words.settling import settle

            more = settle(connection)
    if more:
        settle_words(engine)


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with reading(engine) as connection, connection.execution_options(**{_WRITES: True}).begin():
        yield connection


def settle_words(engine: Engine) -> None:
    """Index the words of all photos that are due, as far as the library can be written now."""
    from indexer.catalog.words.settling import settle_rest

    settle_rest(partial(_transaction, engine))


def _settle_what_others_left(engine: Engine) -> None:
    """Index the words that a kill, or an older picsift that ran during the upgrade, left due; date its photos."""
    from indexer.catalog.words.settling import is_due

    with reading(engine) as connection:
        words, dates = is_due(connection), instants.is_due(connection)
    if words:
        settle_words(engine)
    if dates:
        instants.settle_rest(partial(_transaction, engine))


def _has_due(connection: Connection) -> bool:
    """Whether words have to be indexed; schemas before 9 have no index."""
    driver = _driver(connection)  # SQLAlchemy's part takes ten times as long, and every transaction asks
    has_index = driver.execute("SELECT 1 FROM sqlite_master WHERE name = 'words_due'").fetchone()
    return bool(has_index and driver.execute("SELECT 1 FROM words_due LIMIT 1").fetchone())


def file_of(engine: Engine) -> Path:
    """The file that an engine of this module works on."""
    return Path(engine.url.database or "")


def in_chunks(values: Sequence[_T], size: int = IN_LIMIT) -> Iterator[Sequence[_T]]:
    """Cut values into lists short enough for one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def fetch_ids(connection: Connection, ids: Select[int]) -> NDArray[np.int64]:
    """Run a query of whole numbers and give them sorted, (n,) int64."""
    # As one text: a row for each of a million ids takes ten times as long.
    joined = func.aggregate_strings(cast(ids.subquery().c[0], String), ",")
    return sorted_ids(connection.execute(select(joined)).scalar())


def sorted_ids(joined: str | None) -> NDArray[np.int64]:
    """Give whole numbers that SQLite joined by commas, sorted, (n,) int64; None is none."""
    return np.sort(np.fromstring(joined or "", dtype=np.int64, sep=","))


def _found_version(engine: Engine) -> int:
    with engine.connect() as connection:
        return schema_version(connection)


def _engine(file: Path, *, foreign_keys: bool = True, **options: Any) -> Engine:
    """An engine whose transactions are those of SQLAlchemy: the driver's own are off. It works on what lies there."""
    lying = DatabaseFile(file, make=True)
    engine = create_engine(URL.create("sqlite", database=str(file.absolute())), creator=lying.connect, **options)
    lying.guard(engine)

    @event.listens_for(engine, "connect")
    def configure(connection: FileConnection, _record: object) -> None:
        connection.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        driver = _driver(connection)
        lying.check_kept(driver)
        # A transaction that reads first and writes later cannot wait for another writer; one that says so can.
        how = "BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES, False) else "BEGIN"
        patiently(file, lambda: driver.execute(how))

    return engine


def _migrate(file: Path, library: Path) -> None:
    """Run the migrations that are due, all in one transaction: a kill leaves the old schema whole."""
    # Foreign keys are off, since a migration may have to make a table anew; they are checked before the commit.
    engine = _engine(file, foreign_keys=False, poolclass=NullPool)
    with explained(file):
        patiently(file, lambda: _write_ahead(engine))
    with writing(engine) as connection:
        found = schema_version(connection)
        if found >= SCHEMA_VERSION:  # another process was faster
            return
        from indexer.catalog.migrations import upgrade

        upgrade(connection)
        connection.execute(text(_WRITTEN_BY), {"version": own_version()})
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise LibraryError(
                f"the library at {library} could not be upgraded to schema {SCHEMA_VERSION}: "
                f"{len(broken)} of its rows would point nowhere, the first in {broken[0][0]}. "
                "Nothing was changed. Restore a backup, or index into a new library with --library."
            )
    if found:
        _log.info("upgraded the library at %s from schema %d to %d", library, found, SCHEMA_VERSION)


def _write_ahead(engine: Engine) -> None:
    """Switch the file to write-ahead logging, which lasts in the file; not possible inside a transaction."""
    with engine.connect() as connection:
        _driver(connection).execute("PRAGMA journal_mode = WAL")


def _driver(connection: Connection) -> FileConnection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, FileConnection)
    return driver
