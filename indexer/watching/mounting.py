"""Tells that drives or shares came to folders, or went from them: no folder's own events say so.

On Linux the system tells at once that its table of mounts is another one. Elsewhere the folders that are, or once were,
mount points are looked at now and then. What follows from that is `watcher.py`'s business.
"""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from indexer.folders import mounts

logger = logging.getLogger(__name__)

EVERY_S = 10.0

_Seen = tuple[str, str, str]  # mount point, number, device


class MountPoints(Protocol):
    """What tells of mounts."""

    def changed(self) -> Collection[str]:
        """The places where something was mounted, unmounted or exchanged since the last call; it does not wait."""

    def close(self) -> None:
        """Look at nothing any more."""


class MountTable:
    """The table of mounts that Linux keeps for this process."""

    def __init__(self, file: Path = mounts.MOUNTINFO, is_new: Callable[[], bool] | None = None) -> None:
        """Take the mounts that there are for known.

        Args:
            file: the table.
            is_new: whether it is another one since the last call; None asks the system.

        Raises:
            OSError: there is no such table, or it cannot be watched.
        """
        self._file, self._descriptor = file, -1
        if is_new is None:
            self._descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            waiting = select.poll()  # proc(5): POLLERR and POLLPRI, once for each change
            waiting.register(self._descriptor, select.POLLERR | select.POLLPRI)
            waiting.poll(0)
            self._is_new: Callable[[], bool] = lambda: bool(waiting.poll(0))
        else:
            self._is_new = is_new
        self._known = self._seen()

    def changed(self) -> Collection[str]:
        """As `MountPoints` says."""
        if not self._is_new():
            return ()
        before, self._known = self._known, self._seen()
        return {point for point, *_ in before ^ self._known}

    def close(self) -> None:
        """Look at it no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._is_new = -1, lambda: False

    def _seen(self) -> set[_Seen]:
        with suppress(OSError):
            table = mounts.parse(os.fsdecode(self._file.read_bytes()))
            return {(mount.point, mount.number, mount.device) for mount in table}
        return self._known


class RememberedPoints:
    """Folders that are or were mount points, by what lies there: device and number."""

    def __init__(
        self,
        points: Callable[[], Iterable[str]],
        *,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at nothing yet.

        Args:
            points: gives the absolute folders.
            every_s: seconds between two looks, since a share may let a look wait.
            clock: gives seconds.
        """
        self._points, self._every_s, self._clock = points, every_s, clock
        self._known: dict[str, tuple[int, int] | None] = {}
        self._last = clock() - every_s

    def changed(self) -> Collection[str]:
        """As `MountPoints` says."""
        if self._clock() - self._last < self._every_s:
            return ()
        self._last = self._clock()
        now = {point: identity(point) for point in self._points()}
        before, self._known = self._known, now
        return {point for point, found in now.items() if point in before and before[point] != found}

    def close(self) -> None:
        """Nothing is held."""


def mount_points(remembered: Callable[[], Iterable[str]]) -> MountPoints:
    """What tells of mounts on this system; `remembered` gives the folders that are or were mount points."""
    try:
        return MountTable()
    except (OSError, AttributeError) as error:
        logger.debug("this system has no table of mounts: %s", error)
        return RememberedPoints(remembered)


def identity(folder: str | Path) -> tuple[int, int] | None:
    """Device and number of what lies at a path; None of nothing, or of what cannot be reached."""
    try:
        status = os.stat(folder)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino
