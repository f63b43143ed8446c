"""Cursors: names that nobody can guess, for the pages that follow searches. In memory, as long as there is room.

Each page has a cursor of its own, so that who asks for one again, since an answer was lost, is given the same page. It
searches nothing, and keeps no file.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict

from app.search.paging.asked import Asked, CursorGoneError

MOST = 4_096
MOST_BYTES = 64_000_000


class Cursors:
    """The latest of them, those that were not used for the longest go first; safe to use from many threads."""

    def __init__(self, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        """Keep none yet; at most so many, and in so many bytes, but always the last one."""
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Asked, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def keep(self, asked: Asked) -> str:
        """Keep what a page is asked by; the cursor that names it."""
        cursor, size = secrets.token_urlsafe(18), asked.bytes
        with self._lock:
            self._kept[cursor] = asked, size
            self._bytes += size
            while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
                self._bytes -= self._kept.popitem(last=False)[1][1]
        return cursor

    def find(self, cursor: str) -> Asked:
        """What that page is asked by.

        Raises:
            CursorGoneError: there is no such cursor, or none any more.
        """
        with self._lock:
            if cursor in self._kept:
                self._kept.move_to_end(cursor)
                return self._kept[cursor][0]
        raise CursorGoneError(
            "there is no such cursor any more: a server keeps those that were used last, until it ends. Search again."
        )
