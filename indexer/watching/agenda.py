"""What a daemon's next run has to look at: folders where something happened, and files that were written to.

Events come from other threads. What is taken down here stays until a run has seen to it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from indexer.watching.changes import Changes, Kind, cover, is_temporary
from indexer.watching.watcher import usable


class Agenda:
    """Folders and files, by absolute path; safe to call from many threads."""

    def __init__(self, settle_s: float, patience_s: float) -> None:
        """Take down nothing yet; the bounds are those of `Changes`."""
        self._changes = Changes(settle_s, patience_s)
        self._lock = threading.Lock()
        self._folders: set[str] = set()
        self._own: set[str] = set()  # of these the files alone
        self._again: set[str] = set()  # folders, of the files in them alone, that each run looks at beside its own
        self.everything = False  # whether all roots are to be looked at, whatever happened

    def note(self, kind: Kind, path: str) -> None:
        """Take in one event."""
        with self._lock:
            self._changes.note(kind, path, time.monotonic())

    def add(self, folders: Iterable[str | Path], *, deep: bool = True) -> None:
        """Have folders looked at, whatever happened to them; or their files alone."""
        (self._folders if deep else self._own).update(map(str, folders))

    def add_all(self, roots: Iterable[Path]) -> None:
        """Have everything looked at."""
        self.everything = True
        self.add(roots)

    def gather(self, now: float) -> None:
        """Add what the batch of events that is due tells."""
        with self._lock:
            folders, own = self._changes.take(now)
        self._folders |= folders
        self._own |= own

    def targets(self, roots: Sequence[Path]) -> tuple[list[Path], list[Path]]:
        """The folders to look at, with all that is below and without; none that lie below no root any more."""
        own_too = self._own.union(filter(usable, self._again))
        folders, own = cover(self._folders, [str(root) for root in roots], usable, own_too)
        if not folders and not own:
            self._folders.clear()
            self._own.clear()
        return list(map(Path, folders)), list(map(Path, own))

    def written(self) -> frozenset[str]:
        """The files of the batches so far that were written to."""
        with self._lock:
            return frozenset(self._changes.written)

    def done(self, written: frozenset[str], again: Iterable[str] = ()) -> None:
        """A run has looked at all that, and those files; the next one looks at the files `again` beside its own."""
        self._again = {os.path.dirname(path) for path in again}  # noqa: PTH120  (a Path for each would cost)
        self._folders.clear()
        self._own.clear()
        self.everything = False
        with self._lock:
            self._changes.written -= written

    def leave(self, path: str) -> bool:
        """Whether a file is still being written."""
        if is_temporary(os.path.basename(path)):  # noqa: PTH119
            return True
        with self._lock:
            return self._changes.is_growing(path, time.monotonic())

    @property
    def waiting(self) -> int:
        """How many folders and files wait for a batch of events to be due."""
        with self._lock:
            return self._changes.waiting

    def __bool__(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self._folders or self._own)
