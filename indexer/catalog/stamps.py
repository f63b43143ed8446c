"""What tells that a file is another one than it was, or was written to: its size, its times, its number on its disk.

Size and time of the last change of content can be restored by whoever writes, and programs do so; the time at which the
system itself changed anything of a file cannot. Pure.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Protocol

NEVER = -1  # a modification time that no file has: what carries it is looked at again
_INT64_MAX = 2**63 - 1


class Stamped(Protocol):
    """Anything that carries the stamp of a file; None is what nobody has looked at."""

    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def mtime_ns(self) -> int: ...  # noqa: D102
    @property
    def ctime_ns(self) -> int | None: ...  # noqa: D102
    @property
    def inode(self) -> int | None: ...  # noqa: D102


class Restamp(NamedTuple):
    """What else is known now of the stamp of a photo that is as it was, and of its sidecar's."""

    photo_id: int
    ctime_ns: int
    inode: int
    sidecar: str | None


def storable_ns(time_ns: int) -> int:
    """Clamp a time to what a 64-bit column holds; file systems allow times past the year 2262."""
    return time_ns if -_INT64_MAX <= time_ns <= _INT64_MAX else _INT64_MAX if time_ns > 0 else -_INT64_MAX


def changed_ns(status: os.stat_result) -> int:
    """When anything of a file changed last, its content, its name or its rights; on Windows when it was made."""
    return storable_ns(status.st_ctime_ns)


def inode_of(status: os.stat_result) -> int:
    """A file's number on its disk, as a 64-bit column holds it; 0 where the system does not say."""
    return status.st_ino & _INT64_MAX


def is_stamp_of(photo: Stamped, status: os.stat_result) -> bool:
    """Whether a file is as the catalog knows it, as far as it does."""
    if (photo.size, photo.mtime_ns) != (status.st_size, storable_ns(status.st_mtime_ns)):
        return False
    return photo.ctime_ns in (None, changed_ns(status)) and photo.inode in (None, inode_of(status))


def stamp_columns(photo: Stamped) -> dict[str, Any]:
    """A stamp as the columns of a row."""
    return {
        "size": photo.size,
        "mtime_ns": storable_ns(photo.mtime_ns),
        "ctime_ns": photo.ctime_ns,
        "inode": photo.inode,
    }
