"""Files as a whole: written so that a crash leaves the old one or the new one, and told apart by their bytes.

It knows nothing of what stands in them, and imports no torch.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

# Behind each piece a thread waits for Python's others, which may take 5 ms; hashlib's own pieces are of 256 kB.
_CHUNK_BYTES = 4 * 1024 * 1024


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a crash leaves either the old content or the new, never a part."""
    with replacing(path) as partial:
        partial.write_bytes(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to write to, which takes its place once the block has ended well."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.chmod(0o644)  # mkstemp makes it private
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal, computed once while the file stays as it is.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it was written to meanwhile.
    """
    return _sha256(path, stamp(path))


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def stamp(path: Path) -> tuple[int, ...]:
    """What is another one where a file was replaced or written to, also with its size and its time put back."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@lru_cache(maxsize=64)
def _sha256(path: Path, stamped: tuple[int, ...]) -> str:
    """Hash a file once; its stamp only makes a replaced file a different question."""
    digest, room = hashlib.sha256(), memoryview(bytearray(_CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(room):
            digest.update(room[:count])
    if stamp(path) != stamped:
        raise ValueError(f"{path} was written to while it was read; wait until it is whole")
    return digest.hexdigest()
