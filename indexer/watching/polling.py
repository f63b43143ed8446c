"""Looks at folders again and again where the file system gives no events: quickly while something moves, else rarely.

A file counts as whole when two looks in a row find it the same. It opens no file.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from indexer.catalog.records import FoundFile
from indexer.folders.found import Scan
from indexer.folders.ignoring import NOTHING_MORE, Ignoring
from indexer.folders.scanner import scan
from indexer.watching.changes import Kind

logger = logging.getLogger(__name__)

SLOWEST_S = 60.0
SHARE = 50  # a look may take one part in so many of the time between two looks
Note = Callable[[Kind, str], None]


@dataclass
class Polled:
    """A root, or a folder below it, and what the last look found there."""

    root: Path
    below: str
    files: dict[str, FoundFile] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)  # when something last came to each folder, or went from it
    moving: set[str] = field(default_factory=set)  # paths whose file differed between the last two looks
    problem: bool = False
    interval_s: float = 0.0
    next_at: float = 0.0

    @property
    def top(self) -> str:
        """The folder as an absolute path."""
        return str(self.root / self.below)


class Poller:
    """A thread that looks at its folders in turn; `note` is called from it."""

    def __init__(
        self,
        note: Note,
        *,
        library: Path,
        settle_s: float,
        slowest_s: float = SLOWEST_S,
        ignoring: Ignoring = NOTHING_MORE,
    ) -> None:
        """Look at nothing yet.

        Args:
            note: told of each change.
            library: a folder to stay out of.
            settle_s: seconds between looks while something moves.
            slowest_s: the longest pause between two looks at a folder that is looked at quickly.
            ignoring: what is passed over.
        """
        self.note, self.library, self.ignoring = note, library, ignoring
        self._settle_s, self._slowest_s = settle_s, max(slowest_s, settle_s)
        self._places: dict[tuple[Path, str], Polled] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, root: Path, below: str = "") -> None:
        """Follow a root, or a folder below it, from how it is now on."""
        if (root, below) in self._places:
            return
        place = Polled(root, below, interval_s=self._settle_s)
        found = scan(root, below, exclude=self.library, ignoring=self.ignoring)
        place.files, place.listed, place.problem = found.files, _listed(found), found.problem is not None
        place.next_at = time.monotonic() + self._settle_s
        with self._lock:
            self._places[root, below] = place
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="polling", daemon=True)
                self._thread.start()
        self._wake.set()

    def remove(self, root: Path, below: str | None = None) -> None:
        """Follow a root, or one folder below it, no longer; nobody waits for its files any more."""
        with self._lock:
            gone = [self._places.pop(key) for key in list(self._places) if key[0] == root and below in (None, key[1])]
        for place in gone:
            for path in sorted(place.moving):
                self.note(Kind.DONE, str(place.root / path))

    def close(self) -> None:
        """Stop; a look that is under way ends by itself."""
        self._closed = True
        self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            with self._lock:
                places = list(self._places.values())
            for place in places:
                if not self._closed and time.monotonic() >= place.next_at:
                    self._look_or_wait(place)
            self._wake.wait(max(0.01, min((place.next_at for place in places), default=60.0) - time.monotonic()))
            self._wake.clear()

    def _look_or_wait(self, place: Polled) -> None:
        try:
            self._look(place)
        except (OSError, MemoryError) as error:  # too many open files, say: what cannot be seen is not gone
            logger.warning("%s could not be looked at, and is again in a while: %s", place.top, error)
            place.next_at = time.monotonic() + self._slowest_s

    def _look(self, place: Polled) -> None:
        begun = time.monotonic()
        found = scan(place.root, place.below, exclude=self.library, ignoring=self.ignoring)
        took = time.monotonic() - begun
        if found.problem is not None or place.problem:
            if (found.problem is not None) != place.problem:  # it went, or came back: look at it as a whole
                self.note(Kind.FOLDER, place.top)
            place.problem = found.problem is not None
        if found.problem is None:
            now = dict(found.files)
            now.update(unseen(place.files, found.unreadable))
            told, listed = set[str](), _listed(found)
            for kind, path in differences(place.files, now, place.moving):
                self.note(kind, str(place.root / path))
                told.add(path.rpartition("/")[0])
            for folder in sorted(restless(place.listed, listed) - told):
                self.note(Kind.LISTING, str(place.root / folder))
            place.files, place.listed = now, listed
        place.interval_s = self._pause(place, took)
        place.next_at = time.monotonic() + place.interval_s

    def _pause(self, place: Polled, took: float) -> float:
        if place.moving:
            return max(self._settle_s, 2 * took)
        return max(SHARE * took, min(self._slowest_s, 2 * place.interval_s))


def differences(
    before: Mapping[str, FoundFile], now: Mapping[str, FoundFile], moving: set[str]
) -> Iterator[tuple[Kind, str]]:
    """What two looks tell, by path; `moving`, the files that differed, is kept up to date."""
    for path, file in now.items():
        old = before.get(path)
        if old is None or old[:-1] != file[:-1]:  # but for the number: some shares give another whenever they are asked
            moving.add(path)
            yield Kind.SEEN, path
        elif path in moving:
            moving.discard(path)
            yield Kind.DONE, path
    for path in before.keys() - now.keys():
        moving.discard(path)
        yield Kind.GONE, path


def restless(before: Mapping[str, int], now: Mapping[str, int]) -> set[str]:
    """Folders to which something came, or from which it went, since the last look: perhaps a file that did both.

    A run that was due for another reason may have seen it in between.
    """
    return {folder for folder, moment in now.items() if before.get(folder, moment) != moment}


def _listed(found: Scan) -> dict[str, int]:
    return {visit.below: visit.mtime_ns for visit in found.visits}


def unseen(before: Mapping[str, FoundFile], unreadable: tuple[str, ...]) -> dict[str, FoundFile]:
    """The files known below folders that cannot be listed now: they count as being as they were."""
    if not unreadable:
        return {}
    prefixes = tuple(f"{folder}/" if folder else "" for folder in unreadable)
    return {path: file for path, file in before.items() if path.startswith(prefixes)}
