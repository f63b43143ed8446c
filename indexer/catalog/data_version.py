"""Tells whether anything in the database has changed, for a fraction of what a query costs. It reads no table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from indexer.catalog.database import file_of
from indexer.catalog.files.database_file import DatabaseFile
from indexer.catalog.files.database_trouble import explained, patiently
from indexer.catalog.files.file_connection import FileConnection

if TYPE_CHECKING:
    from sqlalchemy import Engine


class DataVersion:
    """A number that another process's commits change as well as this one's; safe to ask from many threads.

    SQLite counts what is committed by any connection but the one that asks, so that this one asks and never writes.
    """

    def __init__(self, engine: Engine) -> None:
        """Open nothing yet."""
        self._file = file_of(engine)
        self._lock = threading.Lock()
        self._begun = 0  # looks, and the last of them that ended well, with what it saw
        self._seen: tuple[int, tuple[int, int]] = (0, (0, 0))
        self._lying = DatabaseFile(self._file)
        self._connection: FileConnection | None = None
        self._opened = 0
        self._held = threading.local()

    def __call__(self) -> tuple[int, int]:
        """The version now, or as this thread holds it: equal to an earlier one where nothing was committed in between.

        The first number is another one where the database may be another file. Raises LibraryError.
        """
        held: tuple[int, int] | None = getattr(self._held, "version", None)
        return self.now() if held is None else held

    @contextmanager
    def held(self) -> Iterator[tuple[int, int]]:
        """Within it this thread is told the version of its beginning, rather than ask seven times for one search.

        What is read meanwhile may be newer than that version says, and never older: whoever keeps it by the version,
        and has to know that it is of that very one, asks `now`.
        """
        before = getattr(self._held, "version", None)
        self._held.version = version = self.now()
        try:
            yield version
        finally:
            self._held.version = before

    def anew(self) -> tuple[int, int]:
        """The version now, which this thread is told from here on, if it holds one. Raises LibraryError."""
        version = self.now()
        if getattr(self._held, "version", None) is not None:
            self._held.version = version
        return version

    def is_still(self, opened: int) -> bool:
        """Whether the database is the file of a version that begins with this number. Raises LibraryError.

        It looks at the files alone, which costs a third of a look at the version.
        """
        connection = self._connection  # before the number, which is raised first
        return opened == self._opened and connection is not None and self._lying.is_of(connection)

    def now(self) -> tuple[int, int]:
        """The version now, whatever this thread holds. Raises LibraryError.

        Threads that wait for one another share a look that began when all of them had asked: each look is a dozen calls
        of the system, behind each of which a thread may have to wait for Python's other threads.
        """
        asked = self._begun
        with self._lock, explained(self._file):
            number, version = self._seen
            if number <= asked:
                self._begun += 1
                version = patiently(self._file, self._asked)
                self._seen = self._begun, version
            return version

    def _asked(self) -> tuple[int, int]:
        if self._connection is not None and not self._lying.is_of(self._connection):
            self._lying.leave(self._connection)
            self._connection.close()
            self._connection = None
        if self._connection is None:
            connection = self._lying.connect()
            self._opened += 1  # another connection counts from another number
            self._connection = connection
        (number,) = self._connection.execute("PRAGMA data_version").fetchone()
        self._lying.check_in(self._connection)
        return self._opened, number

    def close(self) -> None:
        """Let go of the database; the next call opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
