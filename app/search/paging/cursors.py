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
SHARE = 16  # one search has at most so small a part of them: who goes through a library drops no one else's
LATEST = 3  # of a search that are kept though they are larger: of a page, of the one behind it, and of that asked again


class Cursors:
    """The latest of them, those that were not used for the longest go first; safe to use from many threads.

    Each holds all that was handed out before it, so that those of one search take as much as the square of its pages:
    its own oldest go first.
    """

    def __init__(self, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        """Keep none yet; at most so many, and in so many bytes, but always the last one."""
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Asked, int]] = OrderedDict()
        self._of_one: dict[object, OrderedDict[str, int]] = {}  # of each search its cursors, and their bytes
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
            own = self._of_one.setdefault(asked.search, OrderedDict())
            own[cursor] = size
            while len(own) > LATEST and max(len(own) / self._most, sum(own.values()) / self._most_bytes) > 1 / SHARE:
                self._drop(next(iter(own)))
            while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
                self._drop(next(iter(self._kept)))
        return cursor

    def _drop(self, cursor: str) -> None:
        asked, size = self._kept.pop(cursor)
        self._bytes -= size
        own = self._of_one[asked.search]
        del own[cursor]
        if not own:
            del self._of_one[asked.search]

    def let_go(self, cursor: str) -> None:
        """Drop all cursors of the search that this one is of, if it is kept: nobody will go on with it."""
        with self._lock:
            if cursor in self._kept:
                for one in list(self._of_one[self._kept[cursor][0].search]):
                    self._drop(one)

    def find(self, cursor: str) -> Asked:
        """What that page is asked by.

        Raises:
            CursorGoneError: there is no such cursor, or none any more.
        """
        with self._lock:
            if cursor in self._kept:
                self._kept.move_to_end(cursor)
                asked = self._kept[cursor][0]
                self._of_one[asked.search].move_to_end(cursor)
                return asked
        raise CursorGoneError(
            "there is no such cursor any more: a server keeps those that were used last, of each search and of all, "
            "until it ends. Search again."
        )
