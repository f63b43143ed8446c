"""Pictures that were dropped on the page: of each the network's square and a small picture, in memory, for a while.

A page names one by a token that nobody can guess. No file is kept, and nothing is written to the disk.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from app.search.query import Prepared

MOST = 256
KEPT_S = 3600.0  # since it was last used


@dataclass(frozen=True)
class Dropped:
    """What is kept of a picture.

    Attributes:
        token: its name.
        prepared: to search by.
        small: a small WebP of it to show.
    """

    token: str
    prepared: Prepared
    small: bytes


class DroppedPictures:
    """The latest of them; safe to use from many threads."""

    def __init__(self, *, most: int = MOST, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic):
        """Keep none yet.

        Args:
            most: pictures kept; of more, those that were not used for the longest go.
            kept_s: seconds after its last use that a picture is kept.
            clock: says how late it is, in seconds.
        """
        self._most, self._kept_s, self._clock = most, kept_s, clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Dropped]] = OrderedDict()
        self._sweeping: threading.Timer | None = None

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def keep(self, prepared: Prepared, small: bytes) -> str:
        """Keep one; its token."""
        dropped = Dropped(secrets.token_urlsafe(24), prepared, small)
        with self._lock:
            self._put(dropped)
        return dropped.token

    def find(self, token: object) -> Dropped | None:
        """The one of that name, which comes from a browser and may be anything; None where there is none any more."""
        with self._lock:
            self._expire()
            _, dropped = self._kept.pop(token, (0.0, None)) if isinstance(token, str) else (0.0, None)
            if dropped is not None:
                self._put(dropped)
            return dropped

    def close(self) -> None:
        """Keep none any more."""
        with self._lock:
            self._kept.clear()
            if self._sweeping is not None:
                self._sweeping.cancel()

    def _put(self, dropped: Dropped) -> None:
        self._kept[dropped.token] = self._clock(), dropped
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        self._expire()
        if self._sweeping is None:
            self._sweep_later()

    def _expire(self) -> None:
        oldest = self._clock() - self._kept_s
        while self._kept and next(iter(self._kept.values()))[0] <= oldest:
            self._kept.popitem(last=False)

    def _sweep_later(self) -> None:
        """Have what nobody asks for go too."""
        self._sweeping = threading.Timer(self._kept_s, self._sweep)
        self._sweeping.daemon = True
        self._sweeping.start()

    def _sweep(self) -> None:
        with self._lock:
            self._expire()
            self._sweeping = None
            if self._kept:
                self._sweep_later()
