"""A file held open, so that what was checked of it is what is read of it, whatever its path leads to meanwhile.

It is opened read-only, and only if it is a regular file: a pipe would wait for ever, and a device never end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from indexer.errors import ImageError
from indexer.pictures import images

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NOT_REGULAR = "not a regular file"


@dataclass(frozen=True)
class OpenFile:
    """A regular file that is open. Two are equal where they are one file whose content nobody touched in between.

    Attributes:
        identity: `images.stamp()` of it.
        path: what it was opened by.
        status: what the system says of it.
        descriptor: for `os.read` and the like.
    """

    identity: tuple[int, ...]
    path: Path = field(compare=False)
    status: os.stat_result = field(compare=False)
    descriptor: int = field(compare=False)

    @property
    def stamp(self) -> tuple[int, ...]:
        """What another process can tell it by."""
        return self.identity

    @property
    def held(self) -> Path:
        """A path to this very file, read from its start, while it is open; where the system has none, its own."""
        path = Path(f"/dev/fd/{self.descriptor}")
        if not path.exists():
            return self.path
        os.lseek(self.descriptor, 0, os.SEEK_SET)  # macOS goes on where the descriptor stands
        return path

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


def open_file(path: Path) -> OpenFile:
    """Open a file, wherever links lead. Raises OSError where it cannot be read or is no regular one."""
    _require_regular(path.stat())  # to open a pipe or a device may already do something
    return _opened(path, os.open(path, _FLAGS))


def open_within(root: Path, relative: Path) -> OpenFile | None:
    """Open a file below `root` on a way that no link is part of; None where there is one.

    Each folder is opened in the one before, so that nobody can put a link in the way after it was looked at.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    path = root / relative
    if os.open not in os.supports_dir_fd:  # Windows
        return open_file(path) if path.resolve(strict=True) == root.resolve() / relative else None
    within = os.open(root, _FOLDER)
    try:
        for part in relative.parts[:-1]:
            if _is_link(part, within):
                return None
            outer, within = within, os.open(part, _FOLDER | _NO_LINK, dir_fd=within)
            os.close(outer)
        if _is_link(relative.name, within):
            return None
        _require_regular(os.stat(relative.name, dir_fd=within, follow_symlinks=False))
        return _opened(path, os.open(relative.name, _FLAGS | _NO_LINK, dir_fd=within))
    finally:
        os.close(within)


@contextmanager
def reopened(path: Path, stamp: tuple[int, ...]) -> Iterator[OpenFile]:
    """The file that another process checked, opened here.

    Raises:
        ImageError: it cannot be read, or another one lies there now.
    """
    try:
        file = open_file(path)
    except (OSError, ValueError) as error:
        raise images.unreadable(error) from error
    try:
        if file.stamp != stamp:
            raise ImageError(images.CHANGED)
        yield file
    finally:
        file.close()


def _is_link(name: str, within: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode)


def _opened(path: Path, descriptor: int) -> OpenFile:
    try:
        status = os.fstat(descriptor)
        _require_regular(status)
    except BaseException:
        os.close(descriptor)
        raise
    return OpenFile(images.stamp(status), path, status, descriptor)


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(_NOT_REGULAR)
