"""Files and folders that are on the disk, and not only on their way to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def synced(path: Path) -> Iterator[Callable[[bytes | memoryview], object]]:
    """Give what writes to a new file, which is on disk when the block ends."""
    with path.open("wb") as file:
        yield file.write
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    if os.name == "nt":  # a folder cannot be opened there, and a rename is on disk when it returns
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
