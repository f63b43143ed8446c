"""Merges a burst of file events into the folders that must be looked at, and knows which files are still being written.

Pure: it touches no disk and has no clock; times are given in seconds of any clock that only goes forward.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum

from indexer.folders.ignoring import FILE_NAME, is_skipped
from indexer.pictures.formats import SUFFIXES, VIDEO_SUFFIXES

MEANINGFUL = SUFFIXES | VIDEO_SUFFIXES | {".xmp"}
TEMPORARY_STARTS = ("~$", ".~lock", ".syncthing.", "~syncthing~")
TEMPORARY_ENDS = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".download", ".filepart", ".swp", "~")
MANY_FOLDERS = 24  # in one root; beyond that the folder that holds them all is looked at as a whole


class Kind(Enum):
    """What happened to a path.

    Attributes:
        WRITTEN: a file is being written; it is whole when it is closed, or when nothing comes for the settle time.
        SEEN: a look found a file new or changed; only another look can tell that it is whole.
        DONE: a file is whole: closed, renamed into place, or the same in two looks.
        GONE: a file is not there any more.
        FOLDER: a folder came, went or changed, with all that is below it. Where a file was being written at the same
            path, that file is gone, and its parent is looked at too.
        LISTING: something came to a folder, or went from it, nobody knows what: its own files are looked at.
    """

    WRITTEN = "written"
    SEEN = "seen"
    DONE = "done"
    GONE = "gone"
    FOLDER = "folder"
    LISTING = "listing"


@dataclass
class Changes:
    """Events, gathered until they make a batch.

    A batch is due when nothing has come for `settle_s` and no file is being written, and at the latest `patience_s`
    after its first event; files that are still being written then stay for the next one.

    `written` are the files of the batches that were taken, to which something was written or which came to their name,
    whatever their times say; whoever has looked at them takes them out.
    """

    settle_s: float
    patience_s: float
    written: set[str] = field(default_factory=set)
    _folders: set[str] = field(default_factory=set)
    _own: set[str] = field(default_factory=set)  # folders of which the files alone are to be looked at
    _done: set[str] = field(default_factory=set)  # files of the next batch
    _growing: dict[str, float] = field(default_factory=dict)  # path -> when it counts as whole, unless more comes
    _first: float | None = None
    _last: float = -math.inf

    def note(self, kind: Kind, path: str, now: float) -> None:
        """Take in one event at an absolute path."""
        if kind is Kind.WRITTEN:
            self._growing[path] = now + self.settle_s
        elif kind is Kind.SEEN:
            self._growing[path] = math.inf
        elif kind is Kind.LISTING:
            self._own.add(path)
        else:
            was_growing = self._growing.pop(path, None) is not None
            if kind is Kind.FOLDER:
                self._folders.add(path)
            if kind is Kind.DONE:
                self._done.add(path)
            if kind is not Kind.FOLDER or was_growing:  # a file that became a folder is missing from its parent
                self._note_file(path)
        self._first = now if self._first is None else self._first
        self._last = now

    def _note_file(self, path: str) -> None:
        folder, name = os.path.split(path)
        (self._folders if name == FILE_NAME else self._own).add(folder)  # an ignore file speaks of what lies below, too

    def due_at(self) -> float | None:
        """When the next batch can be taken, if no more events come; None where there is nothing to take."""
        if self._first is None:
            return None
        whole = max(self._growing.values(), default=-math.inf)
        return min(max(self._last + self.settle_s, whole), self._first + self.patience_s)

    def take(self, now: float) -> tuple[set[str], set[str]]:
        """The folders of the batch that is due, whether they exist or not: with all that is below, and without."""
        due = self.due_at()
        if due is None or now < due:
            return set(), set()
        whole = [path for path, moment in self._growing.items() if moment <= now]
        for path in whole:
            self._note_file(path)
        folders, own = self._folders, self._own
        self.written |= self._done.union(whole)
        self._folders, self._own, self._done = set(), set(), set()
        for path in whole:
            del self._growing[path]
        self._first = now if self._growing else None
        return folders, own

    def is_growing(self, path: str, now: float) -> bool:
        """Whether a file is still being written."""
        return self._growing.get(path, -math.inf) > now

    @property
    def waiting(self) -> int:
        """How many folders and files wait for a batch."""
        return len(self._folders | self._own) + len(self._growing)


def is_temporary(name: str) -> bool:
    """Whether an editor, a browser or a sync client gives this name to what it has not finished."""
    lower = name.lower()
    return lower.startswith(TEMPORARY_STARTS) or lower.endswith(TEMPORARY_ENDS)


def matters(name: str, skips: Callable[[str], bool] = is_skipped) -> bool:
    """Whether a change of a file of this name can change the library; `skips` says which names are passed over."""
    if name == FILE_NAME:
        return True
    return os.path.splitext(name)[1].lower() in MEANINGFUL and not skips(name) and not is_temporary(name)  # noqa: PTH122


def cover(
    folders: Iterable[str], roots: Collection[str], usable: Callable[[str], bool], own: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """The smallest sets of folders to look at so that all changes are seen: with all that is below, and without.

    Args:
        folders: absolute; those below no root are left out.
        roots: absolute folders.
        usable: whether a folder can be looked at by itself; else its nearest usable parent is, at last the root.
        own: folders of which the files alone matter, where they can be looked at by themselves.
    """
    by_root: dict[str, tuple[set[str], set[str]]] = {}
    for folder, deep in [*((folder, True) for folder in folders), *((folder, False) for folder in own)]:
        root = max((root for root in roots if _holds(root, folder)), key=len, default=None)
        if root is None:
            continue
        top = folder
        while top != root and not usable(top):
            top = os.path.dirname(top)  # noqa: PTH120
        by_root.setdefault(root, (set(), set()))[0 if deep or top != folder else 1].add(top)
    tops, alone = list[str](), list[str]()
    for root, (whole, files) in by_root.items():
        above = _outermost(root, whole)
        files = {folder for folder in files if not any(_holds(top, folder) for top in above)}
        if len(above) + len(files) > MANY_FOLDERS:
            above, files = _outermost(root, whole | files), set()
        tops += above
        alone += files
    return sorted(tops), sorted(alone)


def _outermost(root: str, folders: set[str]) -> list[str]:
    """Those that lie in no other; the one that holds them all where they are many."""
    kept: list[str] = []
    for folder in sorted(folders, key=lambda folder: folder.rstrip(os.sep) + os.sep):
        if not kept or not _holds(kept[-1], folder):
            kept.append(folder)
    if len(kept) <= MANY_FOLDERS:
        return kept
    common = os.path.commonpath(kept)
    return [common if _holds(root, common) else root]


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
