"""Walks a folder and lists the files that look like photos, with their size and modification time.

Opens no file and knows no catalog. What cannot be listed is named, so that nobody takes it for empty.
"""

from __future__ import annotations

import bisect
import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from indexer.catalog.records import FoundFile
from indexer.catalog.stamps import inode_of, storable_ns
from indexer.errors import raise_shortage
from indexer.folders.found import Scan, Visit
from indexer.folders.ignoring import FILE_NAME, NOTHING_MORE, Chain, IgnoreFileError, Ignoring, read_rules
from indexer.folders.ignoring import is_skipped as is_skipped
from indexer.folders.mounts import mounted_on_the_way, points
from indexer.folders.rechecking import problem_with, rechecked, visit
from indexer.metadata import sidecar
from indexer.pictures.formats import SUFFIXES, VIDEO_SUFFIXES

_Identity = tuple[int, int]  # device and inode


class StoppedError(Exception):
    """A scan was told to stop before it had seen everything."""


class _Folder(NamedTuple):
    """A folder to visit: its path on disk, the prefix of its files' relative paths, the rules and device around it."""

    path: str
    prefix: str
    chain: Chain
    device: int | None


@dataclass
class _Walk:
    """The state of one scan."""

    suffixes: Collection[str]
    root: str
    ignoring: Ignoring
    excluded: dict[_Identity, str]  # folders to stay out of, by identity, with their real paths
    stop: Callable[[], bool]
    deep: bool
    points: Collection[str]  # where anything is mounted, as the system's table has it
    files: dict[str, FoundFile] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    broken_links: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    links: list[_Folder] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)


def scan(
    root: Path,
    subfolder: str = "",
    *,
    suffixes: Collection[str] = SUFFIXES | VIDEO_SUFFIXES,
    exclude: Path | None = None,
    roots: Collection[Path] = (),
    ignoring: Ignoring = NOTHING_MORE,
    stop: Callable[[], bool] = lambda: False,
    deep: bool = True,
) -> Scan:
    """List the photos and videos of a root, or of one of its subfolders.

    Links to files are followed, and so are links to folders outside the root, each folder once; what a link inside the
    root shows is found where it is, and what belongs to another root is found there.

    Args:
        root: an absolute folder.
        subfolder: relative to the root, posix; "" for all of it.
        suffixes: in lower case, with the dot.
        exclude: a folder that is not entered: the library's own.
        roots: the other roots, which are not entered either.
        ignoring: what is passed over, beside what `.picsiftignore` files say.
        stop: asked for each folder.
        deep: list what lies in folders below it too.

    Raises:
        StoppedError: `stop` said so.
    """
    top = root / subfolder
    before, problem = visit(top, subfolder), problem_with(top)
    if problem is not None:
        return Scan({}, problem=problem, visits=before)
    try:
        chain = ignoring.chain_in(root, subfolder.rpartition("/")[0]) if subfolder else ignoring.chain
    except IgnoreFileError as error:
        raise_shortage(error)
        return Scan({}, problem=str(error))
    excluded = [folder for folder in (exclude, *roots) if folder is not None]
    identities = {identity: os.path.realpath(folder) for folder in excluded if (identity := _identity(folder))}
    walk = _Walk(suffixes, os.path.realpath(root), ignoring, identities, stop, deep, points())
    seen: set[_Identity] = set()
    _walk_tree(walk, _Folder(str(top), f"{subfolder}/" if subfolder else "", chain, None), seen, linked=False)
    while walk.links and deep:  # grows while it is worked off: links behind links
        pending, walk.links = sorted(walk.links, key=lambda link: link.prefix), []
        for link in pending:
            _walk_tree(walk, link, seen, linked=True)
    found = Scan(
        walk.files,
        unreadable=tuple(sorted(set(walk.unreadable))),
        vanished=tuple(walk.vanished),
        broken_links=tuple(sorted(walk.broken_links)),
        mounts=(*mounted_on_the_way(root, subfolder, walk.points), *walk.mounts),
        notes=tuple(walk.notes),
        visits=tuple(walk.visits),
    )
    return rechecked(found, root, subfolder)


def _is_photo_name(name: str, suffixes: Collection[str]) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122


def _identity(folder: Path) -> _Identity | None:
    with suppress(OSError):
        return (status := folder.stat()).st_dev, status.st_ino
    return None


def _is_excluded(walk: _Walk, folder: str, identity: _Identity) -> bool:
    return identity in walk.excluded and os.path.realpath(folder) == walk.excluded[identity]


def _walk_tree(walk: _Walk, top: _Folder, seen: set[_Identity], *, linked: bool) -> None:
    """Visit a folder and what lies below it, in the order of names.

    Folders behind links are visited once. A real folder is always visited, so that nothing is lost on file systems
    that number their folders badly.
    """
    stack = [top]
    while stack:
        if walk.stop():
            raise StoppedError
        folder = stack.pop()
        below = folder.prefix.rstrip("/")
        try:
            here = os.stat(folder.path)  # noqa: PTH116  (a Path for each folder would cost as much as listing it)
            identity = (here.st_dev, here.st_ino)
            if (linked and identity in seen) or _is_excluded(walk, folder.path, identity):
                continue
            seen.add(identity)
            with os.scandir(folder.path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
            is_mounted = here.st_dev != folder.device or folder.path in walk.points
            is_top = folder is top or is_mounted
            if is_top:  # listing it may have mounted it
                here = os.stat(folder.path)  # noqa: PTH116
            chain = _chain(folder, entries)
        except (FileNotFoundError, NotADirectoryError):  # it went since its parent was listed, and may be elsewhere
            walk.vanished.append(below)
            continue
        except (OSError, IgnoreFileError) as error:
            raise_shortage(error)
            walk.unreadable.append(below)
            if isinstance(error, IgnoreFileError):
                walk.notes.append(f"{error}. Until then nothing new is taken from its folder.")
            continue
        if is_mounted and folder.device is not None:
            walk.mounts.append(below)
        walk.visits.append(Visit(folder.path, below, here.st_dev, here.st_ino, here.st_mtime_ns, is_top))
        inner = list(_visit(walk, entries, folder._replace(chain=chain, device=here.st_dev)))
        stack.extend(reversed(inner) if walk.deep else ())


def _chain(folder: _Folder, entries: list[os.DirEntry[str]]) -> Chain:
    """The rules that hold in a folder: those around it, after its own ignore file's if it has one."""
    at = bisect.bisect_left(entries, FILE_NAME, key=lambda entry: entry.name)
    if at == len(entries) or entries[at].name != FILE_NAME or not entries[at].is_file():
        return folder.chain
    return (read_rules(Path(entries[at].path), folder.prefix), *folder.chain)


def _visit(walk: _Walk, entries: list[os.DirEntry[str]], folder: _Folder) -> Iterator[_Folder]:
    """Note the photos and links among a folder's entries; gives its subfolders."""
    suffixes, files = walk.suffixes, walk.files
    beside = {name.lower(): name for name in (entry.name for entry in entries) if name[-4:].lower() == sidecar.SUFFIX}
    prefix, chain, ignoring = folder.prefix, folder.chain, walk.ignoring
    by_default = ignoring.by_default if ignoring.hidden else is_skipped
    for entry in entries:
        name = entry.name
        if not chain and by_default(name):
            continue
        path = prefix + name
        try:
            if chain and ignoring.ignores(chain, path, is_dir=entry.is_dir()):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield folder._replace(path=entry.path, prefix=f"{path}/")
                continue
            if (entry.is_symlink() and _is_folder_link(walk, entry, folder)) or not _is_photo_name(name, suffixes):
                continue
            status = entry.stat()
        except FileNotFoundError:
            if not entry.is_symlink():  # it went since it was listed
                walk.vanished.append(path)
            elif _may_be_unplugged(walk, entry.path):
                walk.broken_links.append(path)
            continue
        except OSError as error:
            if error.errno != errno.ELOOP:  # a link in a circle leads nowhere; the rest is there, but out of reach
                walk.unreadable.append(path if entry.is_symlink() else prefix.rstrip("/"))
            continue
        if stat.S_ISREG(status.st_mode):
            stamp = sidecar.stamp_beside(entry.path, beside) if beside else ""
            when, changed = storable_ns(status.st_mtime_ns), storable_ns(status.st_ctime_ns)
            files[path] = FoundFile(path, status.st_size, when, stamp, changed, inode_of(status))


def _is_folder_link(walk: _Walk, entry: os.DirEntry[str], folder: _Folder) -> bool:
    """Whether a link is not one to a file; a link to a folder outside every root is kept to be followed."""
    path = folder.prefix + entry.name
    if entry.is_dir():
        target = os.path.realpath(entry.path)
        if not _lies_in(target, walk.root) and not any(_is_listed(target, root) for root in walk.excluded.values()):
            walk.links.append(_Folder(entry.path, f"{path}/", folder.chain, folder.device))
        return True
    if _is_photo_name(entry.name, walk.suffixes) or os.path.exists(entry.path):  # noqa: PTH110
        return False
    walk.broken_links.append(path)
    return True


def _may_be_unplugged(walk: _Walk, link: str) -> bool:
    """Whether what a broken link leads to may lie on a drive that is away, and not just in a folder of the root."""
    target = os.path.realpath(link)
    return not _lies_in(target, walk.root) or problem_with(Path(target).parent) is not None


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_listed(path: str, root: str) -> bool:
    """Whether another root's scan comes by a folder, as far as names tell."""
    return _lies_in(path, root) and not any(map(is_skipped, path[len(root) :].split("/")))
