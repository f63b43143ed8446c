"""Whether what a walk saw still stood at its end: drives go, and folders move, while they are looked at.

What went is named, so that nobody takes it for gone; what changed tells that a photo may have passed the walk by.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from indexer.errors import raise_shortage
from indexer.folders.found import Scan, Visit


def problem_with(folder: Path) -> str | None:
    """Say why a folder shows nothing; None where it shows something."""
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
        raise_shortage(error)
        return f"{folder} cannot be read: {error.strerror}"
    return None


def real_path(folder: Path) -> Path:
    """A folder without links; as it is written from where they lead in a circle, of which `resolve` raises or not."""
    return Path(os.path.realpath(folder))


def has_nothing(folder: Path) -> bool:
    """Whether a folder is empty or absent, rather than one that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def rechecked(found: Scan, root: Path, below: str) -> Scan:
    """Look once more at every folder that a scan listed, and take what is not there any more for unreadable.

    Args:
        found: a scan of the folder `below` in the root; `vanished` holds what was not there when its turn came.
        root: the root's folder.
        below: "" for all of the root.

    Returns:
        The scan without the files of folders that went. In `unreadable` is all that went, in `vanished` the part of it
        that was moved or deleted rather than unplugged: the folder that held it is still there, and it was no mount.
    """
    lost = {visit.below for visit in found.visits if not _stands(visit)}
    if below in lost or problem_with(root / below) is not None:
        return replace(found, files={}, unreadable=(below,), broken_links=(), vanished=())
    went = lost | set(found.vanished)
    if not went:
        return found
    tops = {path for path in went if not any(folder in went for folder in above(path))}
    held = {visit.below for visit in found.visits}
    gone = {path for path in tops if path.rpartition("/")[0] in held and not os.path.lexists(root / path)}
    return replace(
        found,
        files={path: file for path, file in found.files.items() if not lies_below(path, lost)} if lost else found.files,
        unreadable=tuple(sorted({*found.unreadable, *tops})),
        vanished=tuple(sorted(gone - set(found.mounts))),
    )


def visit(folder: Path, below: str) -> tuple[Visit, ...]:
    """A folder that may have nothing to list, as it is now; none where there is no such folder."""
    now = _status(str(folder))
    return () if now is None else (Visit(str(folder), below, now.st_dev, now.st_ino, now.st_mtime_ns, True),)


def is_restless(visits: Iterable[Visit]) -> bool:
    """Whether anything came to, or went from, one of these folders since it was listed."""
    return any((now := _status(visit.path)) is None or now.st_mtime_ns != visit.mtime_ns for visit in visits)


def lies_below(path: str, folders: Collection[str]) -> bool:
    """Whether a path is one of these, or lies below one of them."""
    return path in folders or any(folder in folders for folder in above(path))


def above(path: str) -> Iterable[str]:
    """Give every folder that holds a path, the root "" last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _stands(visit: Visit) -> bool:
    """Whether a folder is still there, on its device; below its top a FUSE file system may number folders anew."""
    now = _status(visit.path)
    if now is None or now.st_dev != visit.device:
        return False
    return now.st_ino == visit.inode or not visit.is_top


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116  (a Path for each folder would cost as much as listing it)
    except OSError:
        return None
