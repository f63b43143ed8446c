"""Follows roots: native events where the file system gives them, polling where it does not or a limit is reached.

It attaches anew to a root that went away and came back. What an event means is `changes.py`'s business.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from indexer.folders import mounts
from indexer.folders.mounts import Mount
from indexer.watching.mounting import MountPoints, identity, mount_points
from indexer.watching.polling import Poller

logger = logging.getLogger(__name__)

Mode = Literal["auto", "native", "polling"]
LIMIT_FILE = Path("/proc/sys/fs/inotify/max_user_watches")


class Tree(Protocol):
    """What gives native events: `inotify.py` or `observing.py`."""

    lost: set[str]
    full: set[str]

    def add(self, root: str) -> None:
        """Watch a root with all its folders."""

    def remove(self, root: str) -> None:
        """Watch a root no longer."""

    def renew(self, folder: str, root: str) -> None:
        """Watch a folder below a root, and all below it, anew: other folders may lie there now."""

    def close(self) -> None:
        """Watch nothing any more."""


@dataclass
class _Followed:
    """A root: how it is followed, and which folder that was (device and inode; None while it is not there)."""

    path: Path
    how: Literal["native", "polling"]
    identity: tuple[int, int] | None


class Watcher:
    """Follows any number of roots; what the poller notes to is called from threads of its own."""

    def __init__(self, poller: Poller, *, mode: Mode = "auto", points: MountPoints | None = None) -> None:
        """Follow nothing yet.

        Args:
            poller: looks where there are no events, and says for both ways who is told of changes, which folder is the
                library's, and what is passed over; patterns count in polls alone, and events may tell too much.
            mode: "auto", or one way for all roots.
            points: tells where something was mounted; None is this system's own, without a memory.
        """
        self._poller, self._mode = poller, mode
        self._points = points or mount_points(tuple)
        self._changed: set[str] = set()
        self._library = os.path.realpath(poller.library)
        self._roots: dict[Path, _Followed] = {}
        self._polled_points: set[str] = set()
        self._tree: Tree | None = None
        if mode != "polling":
            self._tree = self._native_events()

    def follow(self, roots: Iterable[Path]) -> list[Path]:
        """Follow exactly these roots; gives those that are new."""
        wanted = list(roots)
        for gone in [path for path in self._roots if path not in wanted]:
            self._let_go(self._roots.pop(gone))
        new = [path for path in wanted if path not in self._roots]
        for path in new:
            self._attach(path)
        return new

    def check(self) -> list[Path]:
        """Attach to roots that came, came back or were lost from sight; gives those to be looked at as a whole."""
        again = []
        for root in list(self._roots.values()):
            lost = self._tree is not None and str(root.path) in self._tree.lost and root.how == "native"
            if identity(root.path) != root.identity or lost:
                full = self._tree is not None and str(root.path) in self._tree.full
                self._let_go(root)
                self._attach(root.path, limit_reached=full)
                again.append(root.path)
        return again

    def remounted(self) -> list[str]:
        """Watch anew what was mounted below roots, or is seen again below what was; gives those places.

        Where something was mounted elsewhere, above a root say, `check` tells.
        """
        self._changed.update(self._points.changed())
        if not self._changed:
            return []
        found = [point for root in list(self._roots.values()) for point in self._renew(root, self._changed)]
        self._changed.clear()  # not before all are watched
        return found

    def ways(self) -> dict[Path, str]:
        """How each root is followed: "native" or "polling"."""
        return {root.path: root.how for root in self._roots.values()}

    def close(self) -> None:
        """Follow nothing any more."""
        self._poller.close()
        self._points.close()
        if self._tree is not None:
            self._tree.close()

    def _native_events(self) -> Tree | None:
        if sys.platform == "linux":
            from indexer.watching.inotify import InotifyTree as NativeTree
        else:
            from indexer.watching.observing import ObserverTree as NativeTree
        try:
            return NativeTree(self._poller.note, self._enters, self._poller.ignoring.by_default)
        except OSError as error:
            logger.warning(
                "this system gives no more file events (%s), so folders are polled. On Linux, close other programs "
                "that watch files, or raise the limit: sudo sysctl fs.inotify.max_user_instances=1024",
                error.strerror,
            )
            return None

    def _attach(self, path: Path, *, limit_reached: bool = False) -> None:
        root = self._roots[path] = _Followed(path, "native", identity(path))
        table = mounts.read() if self._mode == "auto" else []
        mount = mounts.mount_of(str(path), table)
        if self._tree is None or limit_reached or (mount is not None and mount.silent):
            if limit_reached:
                self._say_limit(path)
            self._poll(root)
            return
        if root.identity is None:  # not there; `check` sees it come
            return
        self._poll_silent(path, table)
        try:
            self._tree.add(str(path))
        except FileNotFoundError:
            root.identity = None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self._say_limit(path)
            else:
                logger.warning("%s gives no file events (%s), so it is polled.", path, error.strerror)
            self._tree.remove(str(path))
            self._poll(root)

    def _poll_silent(self, root: Path, table: Sequence[Mount], within: str = "") -> None:
        """Poll the mounts below a root that tell nothing; `within` one folder, or all of them."""
        for point in mounts.silent_below(str(root), table):
            if mounts.holds(within, point) or not within:
                self._polled_points.add(point)
                self._poller.add(root, os.path.relpath(point, root))

    def _renew(self, root: _Followed, points: Collection[str]) -> list[str]:
        """Watch anew those of these folders that lie below a root, where it is one that is looked at."""
        top, table = str(root.path), mounts.read() if self._mode == "auto" else []
        below = sorted(point for point in points if point != top and mounts.holds(top, point))
        seen = [
            point
            for number, point in enumerate(below)
            if not any(mounts.holds(outer, point) for outer in below[:number])
            and self._poller.ignoring.reaches(root.path, os.path.relpath(point, top).replace(os.sep, "/"))
        ]
        for point in seen:
            if root.how == "polling" or self._tree is None:
                continue
            for old in [old for old in self._polled_points if mounts.holds(point, old)]:
                self._polled_points.discard(old)
                self._poller.remove(root.path, os.path.relpath(old, top))
            self._poll_silent(root.path, table, point)
            self._tree.renew(point, top)
        return seen

    def _poll(self, root: _Followed) -> None:
        root.how = "polling"
        logger.info("%s is polled: it is looked at again and again for changes", root.path)
        self._poller.add(root.path)

    def _let_go(self, root: _Followed) -> None:
        self._poller.remove(root.path)
        if self._tree is not None:
            self._tree.remove(str(root.path))

    def _enters(self, folder: str) -> bool:
        return folder not in self._polled_points and os.path.realpath(folder) != self._library

    def _say_limit(self, path: Path) -> None:
        try:
            limit = int(LIMIT_FILE.read_text())
        except (OSError, ValueError):
            limit = 65_536
        logger.warning(
            "%s has more folders than the system lets one person watch (%s for all programs), so it is polled. "
            "To raise the limit: sudo sysctl fs.inotify.max_user_watches=%d, and the same line without 'sudo sysctl' "
            "in /etc/sysctl.d/60-picsift.conf to keep it. Then start picsift again.",
            path,
            f"{limit:,}",
            max(4 * limit, 524_288),
        )


def usable(folder: str) -> bool:
    """Whether a folder can be looked at by itself: it is there, holds something, and is where it says it is.

    What an empty folder held is only known to be gone, not out of reach, by a look at its parent. A folder behind a
    link would be taken for a root of its own.
    """
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None and os.path.realpath(folder) == folder
    except OSError:
        return False
