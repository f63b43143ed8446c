"""Walks a folder and lists the files that look like photos, with their size and modification time.

Opens no file and knows no catalog. What cannot be listed is named, so that nobody takes it for empty.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from indexer import sidecar
from indexer.images import SUFFIXES
from indexer.records import storable_ns

_SKIPPED = frozenset(
    ("@eadir", "#recycle", "#snapshot", "@recycle", "lost+found", "$recycle.bin", "system volume information")
)
"""Folders that systems and photo programs keep for themselves, in lower case; so do all that begin with a dot."""
_SKIPPED_END = ".lrdata"  # Lightroom's previews

_Identity = tuple[int, int]  # device and inode


class StoppedError(Exception):
    """A scan was told to stop before it had seen everything."""


class FoundFile(NamedTuple):
    """A file that looks like a photo; `path` is relative to the root, `sidecar` the stamp of its XMP file or ""."""

    path: str
    size: int
    mtime_ns: int
    sidecar: str = ""


@dataclass(frozen=True)
class Scan:
    """What lies in a root, or in one of its subfolders.

    Attributes:
        files: by path, in an order that is the same for the same files.
        unreadable: subfolders that could not be listed in full; what is below them is unknown, not absent.
        broken_links: links, not named like photos, that lead nowhere: perhaps to a drive that is not connected.
        problem: why nothing at all could be seen (absent, no permission, no folder, empty); None where all is well.
    """

    files: dict[str, FoundFile]
    unreadable: tuple[str, ...] = ()
    broken_links: tuple[str, ...] = ()
    problem: str | None = None


@dataclass
class _Walk:
    """The state of one scan. Folders are kept as (path on disk, prefix of the relative path)."""

    suffixes: Collection[str]
    root: str
    exclude: Path | None
    exclude_identity: _Identity | None
    stop: Callable[[], bool]
    files: dict[str, FoundFile] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    broken_links: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)


def scan(
    root: Path,
    subfolder: str = "",
    *,
    suffixes: Collection[str] = SUFFIXES,
    exclude: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Scan:
    """List the photos of a root, or of one of its subfolders.

    Hidden files and folders, and those that systems keep for themselves, are passed over. Links to files are followed,
    and so are links to folders outside the root, each folder once; what a link inside the root shows is found where
    it is.

    Args:
        root: an absolute folder.
        subfolder: relative to the root, posix; "" for all of it.
        suffixes: in lower case, with the dot.
        exclude: a folder that is not entered: the library's own.
        stop: asked for each folder.

    Raises:
        StoppedError: `stop` said so.
    """
    top = root / subfolder
    problem = _problem(top)
    if problem is not None:
        return Scan({}, problem=problem)
    walk = _Walk(suffixes, os.path.realpath(root), exclude, _identity(exclude), stop)
    seen: set[_Identity] = set()
    _walk_tree(walk, (str(top), f"{subfolder}/" if subfolder else ""), seen, linked=False)
    while walk.links:  # grows while it is worked off: links behind links
        pending, walk.links = sorted(walk.links, key=lambda link: link[1]), []
        for link in pending:
            _walk_tree(walk, link, seen, linked=True)
    return Scan(walk.files, tuple(sorted(set(walk.unreadable))), tuple(sorted(walk.broken_links)))


def is_skipped(name: str) -> bool:
    """Whether a file or folder of this name is passed over."""
    return name.startswith(".") or (lower := name.lower()) in _SKIPPED or lower.endswith(_SKIPPED_END)


def _is_photo_name(name: str, suffixes: Collection[str]) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122


def _identity(folder: Path | None) -> _Identity | None:
    try:
        status = None if folder is None else folder.stat()
    except OSError:
        return None
    return None if status is None else (status.st_dev, status.st_ino)


def _is_excluded(walk: _Walk, folder: str, identity: _Identity) -> bool:
    """Whether this is the folder to stay out of; the cheap comparison first."""
    if walk.exclude is None or identity != walk.exclude_identity:
        return False
    return os.path.realpath(folder) == os.path.realpath(walk.exclude)


def _problem(folder: Path) -> str | None:
    """Say why a folder shows nothing."""
    try:
        with os.scandir(folder) as entries:
            if next(entries, None) is None:
                return f"{folder} is empty. If it is where a drive appears, connect the drive"
    except FileNotFoundError:
        return f"{folder} does not exist. If it is on a drive, connect the drive"
    except NotADirectoryError:
        return f"{folder} is not a folder"
    except PermissionError:
        return f"{folder} cannot be read: permission denied. Give yourself permission to list it"
    except OSError as error:
        return f"{folder} cannot be read: {error.strerror}"
    return None


def _walk_tree(walk: _Walk, top: tuple[str, str], seen: set[_Identity], *, linked: bool) -> None:
    """Visit a folder and what lies below it, in the order of names.

    Folders behind links are visited once. A real folder is always visited, so that nothing is lost on file systems
    that number their folders badly.
    """
    stack = [top]
    while stack:
        if walk.stop():
            raise StoppedError
        folder, prefix = stack.pop()
        try:
            here = os.stat(folder)  # noqa: PTH116  (a Path for each folder would cost as much as listing it)
            identity = (here.st_dev, here.st_ino)
            if (linked and identity in seen) or _is_excluded(walk, folder, identity):
                continue
            seen.add(identity)
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except FileNotFoundError:  # gone since its parent was listed
            continue
        except OSError:
            walk.unreadable.append(prefix.rstrip("/"))
            continue
        below = list(_visit(walk, entries, prefix))
        stack.extend(reversed(below))


def _visit(walk: _Walk, entries: list[os.DirEntry[str]], prefix: str) -> Iterator[tuple[str, str]]:
    """Note the photos and links among a folder's entries; gives its subfolders."""
    suffixes, files = walk.suffixes, walk.files
    beside = {name.lower(): name for name in (entry.name for entry in entries) if name[-4:].lower() == sidecar.SUFFIX}
    for entry in entries:
        name = entry.name
        if is_skipped(name):
            continue
        path = prefix + name
        try:
            if entry.is_dir(follow_symlinks=False):
                yield entry.path, f"{path}/"
                continue
            if entry.is_symlink() and _is_folder_link(walk, entry, path):
                continue
            if not _is_photo_name(name, suffixes):
                continue
            status = entry.stat()
        except FileNotFoundError:  # gone since, or a link to nothing
            continue
        except OSError as error:
            if error.errno != errno.ELOOP:  # a link in a circle leads nowhere; the rest is there, but out of reach
                link_to_folder = entry.is_symlink() and not _is_photo_name(name, suffixes)
                walk.unreadable.append(path if link_to_folder else prefix.rstrip("/"))
            continue
        if stat.S_ISREG(status.st_mode):
            stamp = sidecar.stamp_beside(entry.path, beside) if beside else ""
            files[path] = FoundFile(path, status.st_size, storable_ns(status.st_mtime_ns), stamp)


def _is_folder_link(walk: _Walk, entry: os.DirEntry[str], path: str) -> bool:
    """Whether a link is not one to a file; a link to a folder outside the root is kept to be followed."""
    if entry.is_dir():
        target = os.path.realpath(entry.path)
        if target != walk.root and not target.startswith(walk.root.rstrip("/") + "/"):
            walk.links.append((entry.path, f"{path}/"))
        return True
    if _is_photo_name(entry.name, walk.suffixes) or os.path.exists(entry.path):  # noqa: PTH110
        return False
    walk.broken_links.append(path)
    return True
