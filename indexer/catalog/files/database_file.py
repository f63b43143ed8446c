"""Which file a library's database is, so that one that takes its place is noticed: restored from a backup, say.

SQLite holds on to the file that it has opened, whatever lies at its path by now, and reads any write-ahead log that
lies beside it, also one of another file: the pages of both would be mixed, and those of the log written into the other
file for good. So every connection knows which file and log are its own, and a small record beside them (log_record.py)
tells other processes whose log it is.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

from indexer.catalog.files import database_trouble
from indexer.catalog.files.file_connection import FileConnection, Which
from indexer.catalog.files.log_record import LogRecord, count_in, status_of
from indexer.errors import LibraryError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

TRIES = 5  # to open a file that is replaced meanwhile

_log = logging.getLogger(__name__)
_kept: ContextVar[Mapping[Path, Which]] = ContextVar("kept", default={})  # noqa: B039  (nobody writes to it)


class DatabaseFile:
    """A path, and what lies there. It is made by the first connection alone; safe to use from many threads."""

    def __init__(self, path: Path, *, make: bool = False) -> None:
        """Open nothing yet."""
        self._path = path.absolute()
        self._log = path.with_name(f"{path.name}-wal")
        self._record = LogRecord(self._path)
        self._make = make
        self._idle = WeakSet[FileConnection]()  # those that an engine keeps, and nobody uses
        self._lock = threading.RLock()  # of that: the end of a connection may come while it is held

    def connect(self) -> FileConnection:
        """Open what lies there now; the connection may go from thread to thread.

        Raises:
            LibraryError: nothing lies there any more, or a log of another file that cannot be set aside.
            sqlite3.Error: SQLite cannot open it.
        """
        for _ in range(TRIES):
            before = which(self._path)
            if before is None and not self._make:
                raise self._gone()
            self._set_aside_log_of_another()
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode={'rwc' if self._make else 'rw'}",
                uri=True,
                timeout=database_trouble.BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                factory=FileConnection,
            )
            after = which(self._path)
            if after is not None and before in (None, after):
                count_in(after)  # it has no lock yet
                connection.of, self._make = after, False
                return connection
            connection.close()
        raise LibraryError(f"{self._path} is replaced again and again. Wait for what does that to end, then try again.")

    def guard(self, engine: Engine) -> None:
        """Have an engine that connects by this use no connection to another file, and keep none."""
        event.listen(engine, "checkout", self._check_out)
        event.listen(engine, "checkin", self._keep)

    def is_of(self, connection: FileConnection) -> bool:
        """Whether a connection's file is the one that lies there.

        Raises:
            LibraryError: no file does, or another log does beside the same file: no lock would hold between the two.
        """
        now = which(self._path)
        if now is None:
            raise self._gone()
        if now == connection.of and connection.log not in (None, which(self._log)):
            raise LibraryError(
                f"{self._log} was taken away while it was in use. Stop every picsift that is at work with the library "
                f"at {self._path.parent}, and start it again."
            )
        return now == connection.of

    def _check_out(self, own: FileConnection, _entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        """See that a connection that was kept may be used again: DisconnectionError where it is to another file."""
        with self._lock:
            self._idle.discard(own)
        if self.is_of(own):
            return
        if own.of is not None:  # else it was closed with the first that was seen to be of another file
            _log.warning("%s is another file now: what lies there is read from here on", self._path)
            self.leave(own)
            self._close_idle()
        raise DisconnectionError

    def _close_idle(self) -> None:
        """Close what is kept to another file: the last one used goes first again, so that the rest would stay for good.

        They hold the space of a file that was deleted, and, once that is back, a log that is not.
        """
        with self._lock:
            now = which(self._path)
            for one in [one for one in self._idle if one.of != now]:
                self._idle.discard(one)
                self.leave(one)
                one.close()

    def _keep(self, connection: FileConnection | None, entry: ConnectionPoolEntry) -> None:
        """Take a connection back; none of which nobody knows whether its file lies there."""
        try:
            self.check_in(connection)
        except LibraryError as error:  # which would leave its place in the engine taken
            _log.debug("A connection is closed: %s", error)
            entry.invalidate(error)
            return
        if connection is not None:
            with self._lock:
                self._idle.add(connection)

    def leave(self, connection: FileConnection) -> None:
        """Have all that was committed in a connection's own file: whoever put that elsewhere finds it whole."""
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def check_in(self, connection: FileConnection | None) -> None:
        """Take in that a connection was used: SQLite has opened its log by then, and holds it as long as the file."""
        if connection is None:  # it broke
            return
        if connection.log is None:
            log = which(self._log)
            if log is None or which(self._path) != connection.of:  # asked last: a log of another file comes with that
                return
            connection.log = log
        file, beside = _status(self._path), _status(self._log)
        if file is None or beside is None or (_number(file), _number(beside)) != (connection.of, connection.log):
            return
        try:
            self._record.note(file, beside)
        except OSError as error:  # a library that is only read, or a full disk: the record before stays
            _log.debug("The record of %s cannot be written: %s", self._log, error.strerror)

    def check_kept(self, connection: FileConnection) -> None:
        """Raise LibraryError within `keeping` where the connection is to another file than the one at its start."""
        if _kept.get().get(self._path, connection.of) != connection.of:
            raise LibraryError(
                f"{self._path} was replaced by another file while this was at work. Nothing was written to that one. "
                "Run the command again."
            )

    def _set_aside_log_of_another(self) -> None:
        try:
            if (aside := self._record.set_aside_log_of_another()) is not None:
                _log.warning(
                    "%s was of another file than %s, and lies at %s now. It has what was last written to that one: "
                    "keep it where you keep that file",
                    *(self._log, self._path, aside),
                )
        except FileNotFoundError:  # another process was faster
            return
        except OSError as error:
            raise LibraryError(
                f"{self._log} is of another file than {self._path}, and cannot be moved away ({error.strerror}). "
                "Stop every picsift and move it away."
            ) from error

    def _gone(self) -> LibraryError:
        return LibraryError(f"{self._path} is not there any more. Put it back, or a backup in its place.")


@contextmanager
def keeping(path: Path) -> Iterator[None]:
    """Have every transaction of this thread fail that meets another file there than now. LibraryError: none is."""
    now = which(path)
    if now is None:
        raise LibraryError(f"{path} is not there any more. Put it back, or a backup in its place.")
    token = _kept.set({**_kept.get(), path.absolute(): now})
    try:
        yield
    finally:
        _kept.reset(token)


def which(path: Path) -> Which | None:
    """What lies at a path; None where nothing does. LibraryError where that cannot be told."""
    status = _status(path)
    return None if status is None else _number(status)


def _status(path: Path) -> os.stat_result | None:
    try:
        return status_of(path)
    except OSError as error:
        raise LibraryError(f"{path} cannot be reached: {error.strerror}.") from error


def _number(status: os.stat_result) -> Which:
    return status.st_dev, status.st_ino
