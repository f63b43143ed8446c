"""Files replaced whole: a kill or a full disk leaves the old file or the new one, never a part."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = ".picsift-"  # hidden, and passed over by every scan


def replace(
    path: Path, content: bytes, *, mode: int | None = None, mtime_ns: int | None = None, like: bool = False
) -> None:
    """Put a file in the place of another, or where there is none: written beside it, synced, renamed over it.

    Args:
        path: of the file; a link is followed, so that it stays one.
        content: its bytes.
        mode: its permissions; None is what new files have.
        mtime_ns: its time; None is now.
        like: it takes over the owner and the extended attributes of the file that is there.

    Raises:
        OSError: it cannot be written; then the old file is as it was.
    """
    real = Path(os.path.realpath(path))
    handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=".tmp", dir=real.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if like:
                _take_over(real, file.fileno())
            os.fchmod(file.fileno(), _default_mode() if mode is None else mode)
            file.flush()
            os.fsync(file.fileno())
        if mtime_ns is not None:
            os.utime(name, ns=(mtime_ns, mtime_ns))
        Path(name).replace(real)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(real.parent)


def remove_leftovers(folder: Path) -> None:
    """Delete what a kill left of files that were being written."""
    with suppress(OSError):
        for name in folder.glob(f"{PREFIX}*.tmp"):
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


def _take_over(old: Path, new: int) -> None:
    """Give an open file the owner and the extended attributes of another; OSError where its owner cannot be kept."""
    was, now = old.stat(), os.stat(new)
    if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
        os.fchown(new, was.st_uid, was.st_gid)
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(old):
                with suppress(OSError):  # one of the system's own
                    os.setxattr(new, name, os.getxattr(old, name))


def _default_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
