"""The vectors on disk: one data file and a small pointer file that names it. It knows neither FAISS nor the catalog.

A save writes a new data file beside the old one and then swaps the pointer, so that a kill at any instant leaves
either the old vectors or the new ones. Nothing is taken on trust when it is read: every byte is under a checksum.

    index.json                    the pointer: which file, how long, its checksum, count, dim, model, generation
    vectors-GENERATION-TOKEN.bin  ids, int64 (n,), then rows, float16 (n, d), little-endian
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.errors import LibraryError, LibraryLockedError
from indexer.vectors.data_file import chunks, map_rows, read_into, sync_folder, synced

POINTER = "index.json"
_POINTER_TEMPORARY = "index.json.tmp"
_LOCK = "save.lock"
_LOCK_SECONDS = 60.0
_FORMAT = 2
_DATA_NAME = re.compile(r"vectors-\d+-[0-9a-f]{8}\.bin")

Allocate = Callable[[int], NDArray[np.float16]]
Hold = Callable[[NDArray[np.float16]], None]


class UnusableFileError(Exception):
    """The saved vectors cannot be used; the message says why, as the end of 'the search index cannot be used: ...'."""


@dataclass(frozen=True)
class Pointer:
    """What the pointer file says about the data file."""

    format: int
    file: str
    bytes: int
    crc32: int
    count: int
    dim: int
    fingerprint: str
    generation: int
    token: str

    def seal(self) -> int:
        """Return the checksum over the pointer's own fields."""
        return zlib.crc32(json.dumps(asdict(self), sort_keys=True).encode())


def save(
    folder: Path,
    ids: NDArray[np.int64],
    rows: NDArray[np.float16],
    *,
    fingerprint: str,
    generation: int,
    token: str = "",
    unless: Callable[[], bool] = lambda: False,
) -> bool:
    """Write the vectors and make them the current ones; False where `unless` says not to.

    Args:
        folder: made if it is not there.
        ids: (n,).
        rows: (n, d).
        fingerprint: of the model that made the rows.
        generation: of the catalog that they stand for.
        token: of that generation: its number may come again.
        unless: asked while nobody else can save.

    Raises:
        LibraryError: if it cannot be written (full disk, no permission); what was saved before is still there.
    """
    from filelock import FileLock, Timeout  # by those who write: it imports asyncio

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / _LOCK, timeout=_LOCK_SECONDS):
            if unless():
                return False
            _save_locked(folder, ids, rows, fingerprint, generation, token)
            return True
    except Timeout as error:
        raise LibraryLockedError(
            f"another process has been saving the search index in {folder} for {_LOCK_SECONDS:.0f} s. "
            "Wait for it, or stop it."
        ) from error
    except OSError as error:
        raise LibraryError(
            f"the search index cannot be saved in {folder}: {error.strerror or error}. "
            "Free some space or allow writing there; nothing is lost, the next run makes it again."
        ) from error


def _save_locked(
    folder: Path, ids: NDArray[np.int64], rows: NDArray[np.float16], fingerprint: str, generation: int, token: str
) -> None:
    data = folder / f"vectors-{generation}-{secrets.token_hex(4)}.bin"
    temporary = folder / _POINTER_TEMPORARY
    _make_room(folder)
    try:
        size, crc = _write_data(data, ids, rows)
        pointer = Pointer(_FORMAT, data.name, size, crc, len(ids), rows.shape[1], fingerprint, generation, token)
        with synced(temporary) as write:
            write(json.dumps({**asdict(pointer), "seal": pointer.seal()}, indent=1).encode())
        sync_folder(folder)  # the data file's name is on disk before anything points to it
        temporary.replace(folder / POINTER)
    except BaseException:
        temporary.unlink(missing_ok=True)
        if not _is_current(folder, data.name):  # an interrupt may come just after the swap
            data.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    _remove_leftovers(folder, keep=data.name)


def _write_data(path: Path, ids: NDArray[np.int64], rows: NDArray[np.float16]) -> tuple[int, int]:
    size = crc = 0
    with synced(path) as write:
        for part in (ids.astype("<i8", copy=False), rows.astype("<f2", copy=False)):
            for chunk in chunks(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data):
                write(chunk)
                crc = zlib.crc32(chunk, crc)
                size += len(chunk)
    return size, crc


def _is_current(folder: Path, name: str) -> bool:
    with suppress(OSError, UnusableFileError):
        return read_pointer(folder).file == name
    return False


def remove_leftovers(folder: Path) -> None:
    """Remove what killed saves left in a folder, unless another process is saving there; what cannot go, stays."""
    from filelock import FileLock, Timeout

    with suppress(Timeout, OSError), FileLock(folder / _LOCK, timeout=0):
        _make_room(folder)


def _make_room(folder: Path) -> None:
    """Remove what killed saves left before something new is written: it could fill the disk for every later one."""
    with suppress(OSError):  # it may be there again the next time
        current = ""
        with suppress(FileNotFoundError, UnusableFileError):  # no data file can be used without its pointer
            current = read_pointer(folder).file
        _remove_leftovers(folder, keep=current)


def _remove_leftovers(folder: Path, keep: str) -> None:
    """Remove the data file that was current before, and those of saves that were killed; the lock is held."""
    for file in folder.iterdir():
        if file.name != keep and (_DATA_NAME.fullmatch(file.name) or file.name == _POINTER_TEMPORARY):
            file.unlink(missing_ok=True)


def load(
    folder: Path, *, dim: int, fingerprint: str, allocate: Allocate, hold: Hold | None = None
) -> tuple[NDArray[np.int64], int, str]:
    """Read the vectors straight into memory that the caller owns, or map the file.

    Args:
        folder: where `save` wrote.
        dim: that the rows must have.
        fingerprint: of the model that must have made them.
        allocate: takes the count n and gives the (n, d) rows to fill. If this raises, they hold rubbish.
        hold: takes the (n, d) rows as they lie in the file instead, not to be written to; where it can be mapped.

    Returns:
        ids (n,), the generation, and its token.

    Raises:
        UnusableFileError: if there is nothing, or it is damaged, or of another model.
    """
    try:
        pointer = read_pointer(folder)
        try:
            return _load_data(folder, pointer, dim, fingerprint, allocate, hold)
        except FileNotFoundError:
            newer = read_pointer(folder)  # a save of another process may have removed it just now
            if newer == pointer:
                raise
            return _load_data(folder, newer, dim, fingerprint, allocate, hold)
    except FileNotFoundError as error:
        raise UnusableFileError(f"the file {Path(error.filename).name} is missing") from error
    except OSError as error:
        raise UnusableFileError(f"it cannot be read ({error.strerror or error})") from error


def read_pointer(folder: Path) -> Pointer:
    """Read the pointer file, and believe it only if its own checksum holds.

    Raises:
        UnusableFileError: if it is not a pointer, or damaged, or of another version. OSError as it comes.
    """
    try:
        fields = json.loads((folder / POINTER).read_bytes())
        seal = fields.pop("seal")
        if (version := fields["format"]) != _FORMAT:
            raise UnusableFileError(f"its format is {version!r}, and this picsift reads {_FORMAT}")
        pointer = Pointer(**fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnusableFileError(f"{POINTER} is damaged") from error
    if pointer.seal() != seal or not _DATA_NAME.fullmatch(pointer.file):
        raise UnusableFileError(f"{POINTER} is damaged")
    return pointer


def _load_data(
    folder: Path, pointer: Pointer, dim: int, fingerprint: str, allocate: Allocate, hold: Hold | None
) -> tuple[NDArray[np.int64], int, str]:
    if pointer.fingerprint != fingerprint:
        raise UnusableFileError(f"it belongs to another model ({pointer.fingerprint[:12]}, not {fingerprint[:12]})")
    if pointer.dim != dim:
        raise UnusableFileError(f"its vectors have {pointer.dim} dimensions, and the model's {dim}")
    with (folder / pointer.file).open("rb") as file:
        if (size := os.fstat(file.fileno()).st_size) != pointer.bytes or size != pointer.count * (8 + 2 * dim):
            raise UnusableFileError(f"{pointer.file} has {size} bytes instead of {pointer.bytes}")
        ids = np.empty(pointer.count, "<i8")
        try:
            crc = read_into(file, ids, 0)
            can_map = hold is not None and pointer.count and sys.byteorder == "little"
            mapped = map_rows(file, pointer.count, dim, crc) if can_map else None
            if mapped is None:
                hold, rows = None, allocate(pointer.count)
                mapped = rows, read_into(file, rows, crc)
            rows, crc = mapped
        except EOFError:
            raise UnusableFileError(f"{pointer.file} ends too early") from None
    if crc != pointer.crc32:
        raise UnusableFileError(f"{pointer.file} is damaged (its checksum differs)")
    if sys.byteorder == "big":
        rows.byteswap(inplace=True)
    if hold is not None:
        hold(rows)
    return ids.astype(np.int64, copy=False), pointer.generation, pointer.token
