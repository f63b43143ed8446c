"""The bytes of a file: on the disk and not only on their way to it, and under a checksum as they are read or mapped."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from io import BufferedReader

_CHUNK_BYTES = 16 * 1024 * 1024


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


def chunks(raw: memoryview) -> Iterator[memoryview]:
    """Give the bytes in pieces that are large enough to be quick and small enough to be interrupted."""
    for start in range(0, len(raw), _CHUNK_BYTES):
        yield raw[start : start + _CHUNK_BYTES]


def read_into(file: BufferedReader, array: NDArray[np.generic], crc: int) -> int:
    """Fill an array with the next bytes of a file; gives their checksum, that went on from `crc`.

    Raises:
        EOFError: if the file ends before.
    """
    for chunk in chunks(array.reshape(-1).view(np.uint8).data):
        _fill(file, chunk)
        crc = zlib.crc32(chunk, crc)
    return crc


def map_rows(file: BufferedReader, count: int, dim: int, crc: int) -> tuple[NDArray[np.float16], int] | None:
    """Map the next bytes of a file as rows (count, dim), which cannot be written to; gives their checksum as well.

    None where they cannot be mapped, and nothing is read: some file systems know it not (FUSE with direct_io), and a
    process may be kept from it by a limit.

    They are read once for it, into memory that is small and used again: what the disk does not give is an error here,
    and not the end of the process when the rows are looked at, as long as the system keeps what it has read. Memory for
    a copy of all would take longer than that.

    Raises:
        EOFError: if the file ends before.
    """
    start, left = file.tell(), count * dim * 2
    try:
        mapped = np.memmap(file, dtype=np.float16, mode="r", offset=start, shape=(count, dim))
    except (OSError, ValueError):  # ValueError: it has become shorter, which whoever reads it will notice
        return None
    finally:
        file.seek(start)
    room = memoryview(bytearray(min(left, _CHUNK_BYTES)))
    while left:
        chunk = room[: min(left, len(room))]
        _fill(file, chunk)
        crc = zlib.crc32(chunk, crc)
        left -= len(chunk)
    return np.asarray(mapped), crc  # its own class makes each small operation slower


def _fill(file: BufferedReader, chunk: memoryview) -> None:
    if file.readinto(chunk) != len(chunk):
        raise EOFError
