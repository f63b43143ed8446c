"""Which file a library's database is, so that one that takes its place is noticed: restored from a backup, say.

SQLite holds on to the file that it has opened, whatever lies at its path by now, and reads any write-ahead log that
lies beside it, also one of another file: the pages of both would be mixed, and those of the log written into the other
file for good. So every connection knows which file and log are its own, and a small record beside them tells other
processes whose log it is.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

from indexer.catalog.files.database_trouble import BUSY_TIMEOUT_S
from indexer.errors import LibraryError

if TYPE_CHECKING:
    from sqlalchemy import Engine

Which = tuple[int, int]
"""A file: its device, and its number there."""

TRIES = 5  # to open a file that is replaced meanwhile

_log = logging.getLogger(__name__)
_kept: ContextVar[Mapping[Path, Which]] = ContextVar("kept", default={})  # noqa: B039  (nobody writes to it)


class FileConnection(sqlite3.Connection):
    """A connection that knows its file, and the log that lay beside it when it had been used."""

    of: Which
    log: Which | None = None


class DatabaseFile:
    """A path, and what lies there. It is made by the first connection alone; safe to use from many threads."""

    def __init__(self, path: Path, *, make: bool = False) -> None:
        """Open nothing yet."""
        self._path = path.absolute()
        self._log = path.with_name(f"{path.name}-wal")
        self._record = path.with_name(f"{path.name}-wal-of")
        self._make = make

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
            if before is not None:
                self._set_aside_log_of_another(before)
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode={'rwc' if self._make else 'rw'}",
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                factory=FileConnection,
            )
            after = which(self._path)
            if after is not None and before in (None, after):
                connection.of, self._make = after, False
                return connection
            connection.close()
        raise LibraryError(f"{self._path} is replaced again and again. Wait for what does that to end, then try again.")

    def guard(self, engine: Engine) -> None:
        """Have an engine that connects by this use no connection to another file."""
        event.listen(engine, "checkout", lambda connection, _record, _proxy: self.check_out(connection))
        event.listen(engine, "checkin", lambda connection, _record: self.check_in(connection))

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

    def check_out(self, connection: FileConnection) -> None:
        """See that a connection that was kept may be used again: DisconnectionError where it is to another file."""
        if self.is_of(connection):
            return
        _log.warning("%s is another file now: what lies there is read from here on", self._path)
        self.leave(connection)
        raise DisconnectionError

    def leave(self, connection: FileConnection) -> None:
        """Have all that was committed in a connection's own file: whoever put that elsewhere finds it whole."""
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def check_in(self, connection: FileConnection | None) -> None:
        """Take in that a connection was used: SQLite has opened its log by then, and holds it as long as the file."""
        if connection is None or connection.log is not None:  # None: it broke
            return
        log = which(self._log)
        if log is None or which(self._path) != connection.of:  # asked last: a log of another file comes with that
            return
        connection.log = log
        if self._recorded() != (connection.of[1], log[1]):
            with suppress(OSError), self._record.open("w") as file:  # a library that is only read
                file.write(f"{connection.of[1]} {log[1]} {os.fstat(file.fileno()).st_ino}\n")

    def check_kept(self, connection: FileConnection) -> None:
        """Raise LibraryError within `keeping` where the connection is to another file than the one at its start."""
        if _kept.get().get(self._path, connection.of) != connection.of:
            raise LibraryError(
                f"{self._path} was replaced by another file while this was at work. Nothing was written to that one. "
                "Run the command again."
            )

    def _set_aside_log_of_another(self, now: Which) -> None:
        """Leave no log beside a file that SQLite would take for its own, and that is the one of a file before it.

        It is another's where the log is the recorded one and the file is not; where all are others, or the record is a
        copy too, everything was copied together.
        """
        recorded = self._recorded()
        if recorded is None or recorded[0] == now[1]:
            return
        log = which(self._log)
        try:
            self._record.unlink(missing_ok=True)  # first: a number may be another file's as soon as it is free
            if log is None or log[1] != recorded[1]:
                return
            self._path.with_name(f"{self._path.name}-shm").unlink(missing_ok=True)
            if self._log.stat().st_size:
                aside = self._log.replace(f"{self._log}-of-another")
                _log.warning("%s was of another file, and lies at %s now", self._log, aside)
            else:
                self._log.unlink()
        except FileNotFoundError:  # another process was faster
            return
        except OSError as error:
            raise LibraryError(
                f"{self._log} is of another file than {self._path}, and cannot be moved away ({error.strerror}). "
                "Stop every picsift and move it away."
            ) from error

    def _recorded(self) -> tuple[int, int] | None:
        """The numbers of the file and its log that were written down; None where that was elsewhere, or not at all."""
        try:
            with self._record.open() as file:
                of, log, own = map(int, file.read(100).split())
                return (of, log) if own == os.fstat(file.fileno()).st_ino else None
        except (OSError, ValueError):
            return None

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
    try:
        status = os.stat(path)  # noqa: PTH116  (asked for every transaction)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LibraryError(f"{path} cannot be reached: {error.strerror}.") from error
    return status.st_dev, status.st_ino
