"""Files replaced whole: a kill or a full disk leaves the old file or the new one, never a part."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from indexer.errors import PicsiftError

PREFIX = ".picsift-"  # hidden, and passed over by every scan
_OURS = re.compile(r"\.picsift-[a-z0-9_]{8}\.tmp")
_KEPT = ("user.", "system.posix_acl_")  # extended attributes without which a file is not replaced


class ChangedError(PicsiftError):
    """Another program wrote the file meanwhile; it is as that left it."""


class Seen(NamedTuple):
    """A file as it was read: its SHA-256, hexadecimal, and what tells that it was written since; None of none."""

    digest: str | None
    stamp: tuple[int, ...] | None


def replace(
    path: Path,
    content: bytes,
    *,
    mode: int | None = None,
    mtime_ns: int | None = None,
    like: bool = False,
    over: Seen | None = None,
) -> None:
    """Put a file in the place of another, or where there is none: written beside it, synced, renamed over it.

    Args:
        path: of the file; a link is followed, so that it stays one.
        content: its bytes.
        mode: its permissions; None is what new files have.
        mtime_ns: its time; None is now.
        like: it is not replaced unless the new one can have the owner and the extended attributes of the file that is
            there; without, it has those that it can have.
        over: what has to be there, looked at once more right before it is replaced; None is whatever is there.

    Raises:
        ChangedError: it is not that any more.
        OSError: it cannot be written; the old file is as it was, but where a file system fails after the renaming.
    """
    real = Path(os.path.realpath(path))
    handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=".tmp", dir=real.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            _take_over(real, file.fileno(), like=like)
            os.fchmod(file.fileno(), _default_mode() if mode is None else mode)
            file.flush()
            os.fsync(file.fileno())
        if mtime_ns is not None:
            os.utime(name, ns=(mtime_ns, mtime_ns))
        _put(Path(name), real, over)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(real.parent)


def remove_leftovers(folder: Path) -> None:
    """Delete what a kill left of files that were being written."""
    with suppress(OSError):
        for name in list(folder.glob(f"{PREFIX}*.tmp")):
            if _OURS.fullmatch(name.name):
                name.unlink()


def sync_folder(folder: Path) -> None:
    """Have a folder's names reach the disk, where the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def digest(path: Path) -> str | None:
    """The SHA-256 of a file, hexadecimal; None where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def seen(path: Path) -> Seen:
    """A file as it is now; its stamp is from before it was read."""
    before = stamp(path)
    return Seen(digest(path), before)


def stamp(path: Path) -> tuple[int, ...] | None:
    """What changes with every write to a file, and with every other file under its name."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def remove(path: Path, over: Seen) -> None:
    """Delete a file. OSError where it cannot be, ChangedError where it is not what was seen any more."""
    if stamp(path) != over.stamp:
        raise ChangedError(str(path))
    real = Path(os.path.realpath(path))  # what was written, where a link leads there
    real.unlink()
    sync_folder(real.parent)


def _put(new: Path, real: Path, over: Seen | None) -> None:
    """Give a file its name, in the place of what was seen."""
    if over is not None and stamp(real) != over.stamp:
        raise ChangedError(str(real))
    if over is not None and over.stamp is None:
        try:
            os.link(new, real)
        except FileExistsError as error:
            raise ChangedError(str(real)) from error
        except OSError:  # a file system without hard links
            new.replace(real)
        else:
            with suppress(OSError):  # the file is in place; its other name is hidden, and swept later
                new.unlink()
        return
    new.replace(real)


def _take_over(old: Path, new: int, *, like: bool) -> None:
    """Give an open file the owner and the extended attributes of another, if that is there.

    With `like` OSError where it cannot have them; else it has those that it can.
    """
    if not like and not old.exists():
        return
    was, now = old.stat(), os.stat(new)
    if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
        try:
            os.fchown(new, was.st_uid, was.st_gid)
        except OSError:
            if like:
                raise
            with suppress(OSError):
                os.fchown(new, -1, was.st_gid)
    if hasattr(os, "listxattr"):
        names: list[str] = []
        with suppress(OSError):
            names = os.listxattr(old)
        for name in names:
            try:
                os.setxattr(new, name, os.getxattr(old, name))
            except OSError:
                if like and name.startswith(_KEPT):  # else it is one of the system's own
                    raise


def _default_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
