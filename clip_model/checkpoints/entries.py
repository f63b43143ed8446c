"""The entries of a zip archive as torch writes them: none compressed but code, no name twice, no more than the file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable

_PICKLE = "data.pkl"


class EntriesError(ValueError):
    """An archive that torch has not written, or that would unpack to more than it is long."""


def root_of(names: Iterable[str]) -> str:
    """The folder of an archive that all of torch's entries lie in, with its "/": that of its only data.pkl.

    Raises:
        EntriesError: if there is none, or more than one.
    """
    roots = [name.removesuffix(_PICKLE) for name in names if name.rpartition("/")[2] == _PICKLE]
    if len(roots) != 1:
        raise EntriesError("it is a zip archive, but not one of torch: there is no data.pkl in it, or several")
    return roots[0]


def checked_entries(archive: zipfile.ZipFile, size: int) -> list[str]:
    """The names of the entries that may be read.

    TorchScript compresses its code, in the folder code beside data.pkl, which nothing reads.

    Args:
        archive: the file.
        size: its bytes.

    Raises:
        EntriesError: if an entry is compressed, has the name of another, or all of them are larger than the file.
    """
    code = f"{root_of(archive.namelist())}code/"
    entries = [entry for entry in archive.infolist() if not entry.filename.startswith(code)]
    if not all(map(_is_stored, entries)):
        raise EntriesError("torch saves tensors uncompressed, and these are not")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names) or sum(entry.file_size for entry in entries) > size:
        raise EntriesError("its entries are said to be larger than the file, or have one name")
    return names


def read_entry(archive: zipfile.ZipFile, name: str, most: int | None = None) -> bytes:
    """The bytes of an entry.

    Raises:
        EntriesError: if it is compressed, or has more than `most` bytes.
        KeyError: if there is none of that name.
    """
    entry = archive.getinfo(name)
    if not _is_stored(entry):
        raise EntriesError("torch saves tensors uncompressed, and these are not")
    if most is not None and entry.file_size > most:
        raise EntriesError(f"its {name} has {entry.file_size} bytes, more than any model's")
    return archive.read(entry)


def _is_stored(entry: zipfile.ZipInfo) -> bool:
    return entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
