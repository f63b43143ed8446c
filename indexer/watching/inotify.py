"""Linux's own file events for whole trees of folders, through watchdog's inotify thread.

watchdog's recursive observer says nothing when the limit of watches is reached below its top, nor when events were
lost, and would watch the library and the folders that are passed over; so each folder's watch is set here.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from indexer.folders.ignoring import is_skipped
from indexer.watching.changes import Kind, matters

Note = Callable[[Kind, str], None]

_C = InotifyConstants
_IN_UNMOUNT = _C.IN_UNMOUNT
_APPEARED = _C.IN_CREATE | _C.IN_MOVED_TO
_VANISHED = _C.IN_DELETE | _C.IN_MOVED_FROM
_SELF_GONE = _C.IN_DELETE_SELF | _C.IN_MOVE_SELF | _IN_UNMOUNT
_MASK = Mask(
    _APPEARED | _VANISHED | _C.IN_MODIFY | _C.IN_CLOSE_WRITE | _C.IN_ATTRIB | _C.IN_DELETE_SELF | _C.IN_MOVE_SELF
    | _C.IN_ONLYDIR | _C.IN_EXCL_UNLINK
)  # fmt: skip


@dataclass(eq=False)
class _Folder:
    """One watched folder; watchdog calls its methods."""

    path: str
    root: str
    tree: InotifyTree
    wd: WatchDescriptor | None = None

    def on_event(self, event: InotifyEvent) -> None:
        self.tree.on_event(self, event)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        self.tree.forget(self)

    def on_queue_overflow(self) -> None:
        self.tree.on_overflow(self)


class InotifyTree:
    """Watches roots with all their folders; `note` is called from watchdog's thread."""

    def __init__(self, note: Note, enters: Callable[[str], bool], skips: Callable[[str], bool] = is_skipped) -> None:
        """Watch nothing yet.

        Args:
            note: told of each change.
            enters: whether a folder is to be watched; asked of every folder but the roots.
            skips: whether files and folders of a name are passed over.

        Raises:
            OSError: the system gives no more inotify instances.
        """
        self._note, self._enters, self._skips = note, enters, skips
        self._folders: dict[str, _Folder] = {}
        self._below: defaultdict[str, set[str]] = defaultdict(set)  # the watched folders in a folder, by their paths
        self._lock = threading.RLock()
        self.lost: set[str] = set()  # roots that are not watched any more, or not in full
        self.full: set[str] = set()  # those of them for which the system's limit was reached
        self._fd = InotifyFD()
        self._fd.daemon = True
        self._fd.start()

    def add(self, root: str) -> None:
        """Watch a root with all its folders; what is watched already stays.

        Raises:
            OSError: the root is not there, or the limit of watches is reached (ENOSPC).
        """
        with self._lock:
            self.lost.discard(root)
            self.full.discard(root)
            self._add_tree(root, root)

    def remove(self, root: str) -> None:
        """Watch a root no longer."""
        with self._lock:
            for folder in [folder for folder in self._folders.values() if folder.root == root]:
                self._drop(folder)

    def renew(self, folder: str, root: str) -> None:
        """Watch a folder below a root, and all below it, anew: another file system may lie there now."""
        with self._lock:
            self._drop_tree(folder)
            if self._enters(folder):
                self._add_or_lose(folder, root)

    def close(self) -> None:
        """Watch nothing any more."""
        self._fd.stop()
        self._fd.join()

    def __len__(self) -> int:
        """How many folders are watched."""
        return len(self._folders)

    def forget(self, folder: _Folder) -> None:
        """The system has ended a watch."""
        with self._lock:
            if self._folders.get(folder.path) is folder:
                self._leave_out(folder)

    def on_overflow(self, folder: _Folder) -> None:
        """Events were lost: the root is to be looked at as a whole, and new folders may lack a watch."""
        if folder.path == folder.root:
            self.lost.add(folder.root)
            self._note(Kind.FOLDER, folder.root)

    def on_event(self, folder: _Folder, event: InotifyEvent) -> None:
        """One event in a watched folder."""
        name = os.fsdecode(event.name)
        if not name:
            self._on_self(folder, event.mask)
        elif event.mask & _C.IN_ISDIR:
            if not self._skips(name):
                self._on_folder(folder.root, os.path.join(folder.path, name), event.mask)  # noqa: PTH118
        else:
            self._on_file(folder.root, os.path.join(folder.path, name), name, event.mask)  # noqa: PTH118

    def _on_self(self, folder: _Folder, mask: int) -> None:
        is_root = folder.path == folder.root
        if mask & _SELF_GONE and is_root:
            self.remove(folder.root)
            self.lost.add(folder.root)
        if is_root or mask & _IN_UNMOUNT:
            self._note(Kind.FOLDER, folder.path)

    def _on_folder(self, root: str, path: str, mask: int) -> None:
        if not self._enters(path):
            return
        if mask & _VANISHED:
            self._drop_tree(path)
        elif mask & (_APPEARED | _C.IN_ATTRIB):
            self._add_or_lose(path, root)
        self._note(Kind.FOLDER, path)

    def _add_or_lose(self, path: str, root: str) -> None:
        """Watch a folder that came; where that cannot be, its root is not watched in full any more."""
        try:
            with self._lock:
                self._add_tree(path, root)
        except OSError as error:
            self.lost.add(root)
            if error.errno == errno.ENOSPC:
                self.full.add(root)

    def _on_file(self, root: str, path: str, name: str, mask: int) -> None:
        appeared = mask & _APPEARED and not self._skips(name) and os.path.isdir(path)  # noqa: PTH112
        if appeared or (mask & _VANISHED and path in self._folders):  # a link to a folder
            self._on_folder(root, path, mask)
        elif not matters(name, self._skips):
            return
        elif mask & _VANISHED:
            self._note(Kind.GONE, path)
        elif mask & (_C.IN_CLOSE_WRITE | _C.IN_MOVED_TO):
            self._note(Kind.DONE, path)
        else:  # created, written to, or given another time or permission: whole when nothing more comes
            self._note(Kind.WRITTEN, path)

    def _add_tree(self, top: str, root: str) -> None:
        """Set the watches of a folder and of all below it; each before its folder is listed, so that none slips by."""
        stack, linked = [top], set[tuple[int, int]]()
        while stack:
            path = stack.pop()
            try:
                self._add(path, root)
                with os.scandir(path) as entries:
                    stack.extend(entry.path for entry in entries if self._goes_into(entry, root, linked))
            except OSError as error:
                if error.errno == errno.ENOSPC or path == root:
                    raise

    def _add(self, path: str, root: str) -> None:
        if path in self._folders or not os.access(path, os.R_OK | os.X_OK):
            return
        folder = _Folder(path, root, self)
        folder.wd = self._fd.add_callback(os.fsencode(path), _MASK, folder, CallbackId(id(folder)))
        self._folders[path] = folder
        self._below[os.path.dirname(path)].add(path)  # noqa: PTH120

    def _goes_into(self, entry: os.DirEntry[str], root: str, linked: set[tuple[int, int]]) -> bool:
        """Whether a folder's entry is a folder to watch; a link to one outside the root counts, once."""
        if self._skips(entry.name) or not entry.is_dir() or not self._enters(entry.path):
            return False
        if not entry.is_symlink():
            return True
        target = os.path.realpath(entry.path)
        status = os.stat(target)  # noqa: PTH116
        if target == root or target.startswith(root.rstrip("/") + "/") or (status.st_dev, status.st_ino) in linked:
            return False
        linked.add((status.st_dev, status.st_ino))
        return True

    def _drop_tree(self, top: str) -> None:
        """Watch a folder no longer, nor what is watched below it; a folder is only watched below one that is."""
        with self._lock:
            stack = [top]
            while stack:
                path = stack.pop()
                stack.extend(self._below.get(path, ()))
                if (folder := self._folders.get(path)) is not None:
                    self._drop(folder)

    def _leave_out(self, folder: _Folder) -> None:
        """Take a folder out of what is watched; what is below it may be there still."""
        path = folder.path
        del self._folders[path]
        while path not in self._folders and not self._below.get(path):
            self._below.pop(path, None)
            above = os.path.dirname(path)  # noqa: PTH120
            if path not in self._below.get(above, ()):
                break
            self._below[above].discard(path)
            path = above

    def _drop(self, folder: _Folder) -> None:
        self._leave_out(folder)
        if folder.wd is not None:
            self._fd.remove_callbacks([(folder.wd, CallbackId(id(folder)))])
