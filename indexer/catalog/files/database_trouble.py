"""What SQLite and the file system say about a library's database, turned into sentences for its owner; and patience.

It opens nothing. `database.py` runs everything inside of it.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFreeError

from indexer.errors import LibraryError, LibraryLockedError

BUSY_TIMEOUT_S = 30

_T = TypeVar("_T")


def patiently(file: Path, action: Callable[[], _T]) -> _T:
    """Do what SQLite refuses at once while another process has the file, again and again until it is free.

    Its own busy timeout covers the locks of transactions, but neither a change of the journal mode nor the moments in
    which another process makes or drops the write-ahead log.

    Raises:
        LibraryLockedError: it was not free for BUSY_TIMEOUT_S.
    """
    begun, pause_s = time.monotonic(), 0.005
    while True:
        try:
            return action()
        except (DBAPIError, sqlite3.Error) as error:
            waited_s = time.monotonic() - begun
            if _kind_of(error) not in _LOCKED:
                raise
            if waited_s >= BUSY_TIMEOUT_S:
                raise LibraryLockedError(
                    f"the library at {file.parent} has been busy with another process for {waited_s:.0f} seconds. "
                    "Try again when that process is done."
                ) from error
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.25)


@contextmanager
def explained_files(library: Path) -> Iterator[None]:
    """Turn what the system says about the library's folder into a LibraryError."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise LibraryError(_full(library)) from error
        reason = "a file is in the way" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
        raise LibraryError(
            f"the library folder {library} cannot be made: {reason}. Name another folder with --library."
        ) from error


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turn what SQLite says about the file into a sentence for its owner; what is our own mistake passes."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        kind, cause = _kind_of(error), error.orig if isinstance(error, DBAPIError) else error
        if kind in _LOCKED:
            raise LibraryLockedError(
                f"the library at {file.parent} is busy with another process. Try again when that process is done."
            ) from error
        if kind not in _MESSAGES:
            raise
        raise LibraryError(_MESSAGES[kind].format(library=file.parent, file=file, cause=cause)) from error
    except NoneFreeError as error:
        raise LibraryLockedError(
            f"too much is asked of the library at {file.parent} at once, or another process keeps what is asked "
            "waiting. Try again in a moment."
        ) from error


def _kind_of(error: DBAPIError | sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where it gave none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return int(getattr(cause, "sqlite_errorcode", 0)) & 0xFF


def _full(library: Path) -> str:
    return _MESSAGES[sqlite3.SQLITE_FULL].format(library=library)


_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_NO_ACCESS = (
    "{file} cannot be opened for writing ({cause}). Give yourself permission to read and write the folder {library}, "
    "or name another one with --library."
)
_MESSAGES = {
    sqlite3.SQLITE_FULL: "the disk that holds the library at {library} is full; nothing that was stored before is "
    "lost. Free some space and run the command again.",
    sqlite3.SQLITE_NOTADB: "{file} is not a database, so {library} is not a picsift library. "
    "Name another folder with --library, or move that file away.",
    sqlite3.SQLITE_CORRUPT: "{file} is damaged ({cause}). Stop every picsift, move it away, and with it {file}-wal and "
    "{file}-shm if they are there; then put a backup in its place, or index again.",
    sqlite3.SQLITE_READONLY: _NO_ACCESS,
    sqlite3.SQLITE_CANTOPEN: _NO_ACCESS,
    sqlite3.SQLITE_PERM: _NO_ACCESS,
    sqlite3.SQLITE_AUTH: _NO_ACCESS,
    sqlite3.SQLITE_IOERR: "{file} could not be read or written ({cause}). Check that the disk of {library} is "
    "connected, healthy and not full, then run the command again.",
}
