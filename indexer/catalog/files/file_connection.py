"""A connection of SQLite's that knows its file, and hands out rows a whole one at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from indexer.catalog.files.log_record import count_out

Which = tuple[int, int]
"""A file: its device, and its number there."""

GATHER = "picsift_gather"


class FileConnection(sqlite3.Connection):
    """A connection that knows its file, the log beside it when it had been used, and whether it is to a library."""

    of: Which | None = None
    log: Which | None = None
    is_checked = False
    _gathered: list[tuple[Any, ...]] | None = None

    def gathered(self, text: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows with which a statement calls the function `GATHER`, one after the other."""
        found = self._gathered
        if found is None:
            found = self._gathered = []

            def take_row(*row: Any, take: Callable[[tuple[Any, ...]], None] = found.append) -> None:
                take(row)  # a Ctrl-C that comes here is raised behind it (interrupts.py), which knows it by its name

            self.create_function(GATHER, -1, take_row)
        found.clear()  # those of a statement that failed
        self.execute(text, parameters).fetchone()
        rows = found.copy()
        found.clear()
        return rows

    def close(self) -> None:
        """Close it; its file may be read by others in this process then."""
        super().close()
        if self.of is not None:
            count_out(self.of)
            self.of = None

    def __del__(self) -> None:
        """Close it where nobody did: its file counted as read for ever, and from Python 3.13 on a warning says so."""
        with suppress(sqlite3.Error):  # it was never opened
            self.close()
