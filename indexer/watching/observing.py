"""File events for whole trees of folders through watchdog's observer: FSEvents on macOS, kqueue, Windows.

Linux has `inotify.py`, which knows its limits. It decides nothing about what events mean for the library.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from indexer.folders.ignoring import is_skipped
from indexer.watching.changes import Kind, matters

Note = Callable[[Kind, str], None]
_FILE = {"created": Kind.WRITTEN, "modified": Kind.WRITTEN, "closed": Kind.DONE, "deleted": Kind.GONE}
_FOLDER = frozenset({"created", "deleted"})


@dataclass(eq=False)
class _Handler:
    """What watchdog hands its events to."""

    root: str
    note: Note
    enters: Callable[[str], bool]
    skips: Callable[[str], bool]

    def dispatch(self, event: FileSystemEvent) -> None:
        source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
        if event.event_type == "moved":
            self._tell(Kind.FOLDER if event.is_directory else Kind.GONE, source)
            self._tell(Kind.FOLDER if event.is_directory else Kind.DONE, target)
        elif event.is_directory:
            if event.event_type in _FOLDER:
                self._tell(Kind.FOLDER, source)
        elif event.event_type in _FILE:
            self._tell(_FILE[event.event_type], source)

    def _tell(self, kind: Kind, path: str) -> None:
        parts = Path(os.path.relpath(path, self.root)).parts or (".",)
        folders = parts if kind is Kind.FOLDER else parts[:-1]
        if parts[0] == ".." or any(self.skips(part) for part in folders if part != ".") or not self._inside(path):
            return
        if kind is Kind.FOLDER or matters(parts[-1], self.skips):
            self.note(kind, path)

    def _inside(self, path: str) -> bool:
        """Whether no folder above the path is one to stay out of."""
        while path != self.root and path != os.path.dirname(path):  # noqa: PTH120
            if not self.enters(path):
                return False
            path = os.path.dirname(path)  # noqa: PTH120
        return True


class ObserverTree:
    """Watches roots with all their folders; `note` is called from watchdog's thread."""

    def __init__(self, note: Note, enters: Callable[[str], bool], skips: Callable[[str], bool] = is_skipped) -> None:
        """Watch nothing yet; `enters` is asked whether a folder below a root counts, `skips` which names do not."""
        self._note, self._enters, self._skips = note, enters, skips
        self.lost: set[str] = set()
        self.full: set[str] = set()
        self._watches: dict[str, Any] = {}
        self._observer = Observer()
        self._observer.daemon = True
        self._observer.start()

    def add(self, root: str) -> None:
        """Watch a root with all its folders. OSError where it cannot be."""
        self.remove(root)
        handler = cast(FileSystemEventHandler, _Handler(root, self._note, self._enters, self._skips))
        self._watches[root] = self._observer.schedule(handler, root, recursive=True)
        self.lost.discard(root)

    def remove(self, root: str) -> None:
        """Watch a root no longer."""
        if (watch := self._watches.pop(root, None)) is not None:
            self._observer.unschedule(watch)

    def renew(self, folder: str, root: str) -> None:
        """Watch a root anew, since a folder below it is another one."""
        self.add(root)

    def close(self) -> None:
        """Watch nothing any more."""
        self._observer.stop()
        self._observer.join()
