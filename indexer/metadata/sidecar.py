"""XMP files beside photos: `photo.jpg.xmp` or `photo.xmp`. Which one belongs to a photo, and what it says."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.metadata.xmp import MAX_BYTES, extension_named, read_xmp

SUFFIX = ".xmp"
_UNSEEN = "?-?-"  # in place of size and times
_SPELLINGS = {"jpeg": "jpg", "tiff": "tif", "heif": "heic"}
_PICTURES = frozenset(
    (
        *("jpg", "jpeg", "png", "tif", "tiff", "heic", "heif", "hif", "webp", "avif", "jxl", "gif", "bmp"),
        *("3fr", "arw", "cr2", "cr3", "crw", "dng", "erf", "iiq", "kdc", "mef", "mos", "mrw", "nef", "nrw", "orf"),
        *("pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f", "mov", "mp4", "m4v", "avi", "mkv", "webm"),
    )
)
"""Extensions of pictures, which a file's name may have before its own."""
_STAMP = re.compile(r"(?P<narrow>(?:\?|\d+)-(?:\?|-?\d+))(?::-?\d+)?-(?P<name>.*)", re.DOTALL)


def sidecar_name(name: str, beside: Mapping[str, str]) -> str | None:
    """The name of a photo's sidecar, if it has one.

    Args:
        name: of the photo's file.
        beside: the names of the folder's sidecars, by the same in lower case.
    """
    if not beside:
        return None
    whole = name.lower()
    stem = os.path.splitext(whole)[0]  # noqa: PTH122
    if names_picture(stem):  # of a.cr2.jpg: a.cr2.xmp is that of a.cr2
        return beside.get(whole + SUFFIX)
    return beside.get(whole + SUFFIX) or beside.get(stem + SUFFIX)


def names_picture(stem: str) -> bool:
    """Whether what a photo is called but for its extension is what another picture may be called, as in a.cr2.jpg."""
    return stem.lower().rpartition(".")[2] in _PICTURES


def shared_stems(names: Iterable[str]) -> frozenset[str]:
    """What several pictures of a folder are called but for their extension, in lower case: `x.xmp` is of them all."""
    parts = (name.lower().rpartition(".") for name in names)
    counts = Counter(stem for stem, _, extension in parts if extension in _PICTURES)
    return frozenset(stem for stem, count in counts.items() if count > 1)


def stamp_beside(photo: str, beside: Mapping[str, str]) -> str:
    """What a scan compares to find out that a photo's sidecar came, changed or went: "" where there is none.

    One that is there and does not show its stamp has one that equals no other, and that is never kept: `kept()`.
    """
    folder, name = os.path.split(photo)
    found = sidecar_name(name, beside)
    if found is None:
        return ""
    try:
        status = os.stat(os.path.join(folder, found))  # noqa: PTH116, PTH118
    except OSError:
        return f"{_UNSEEN}{found}"
    return f"{status.st_size}-{status.st_mtime_ns}:{status.st_ctime_ns}-{found}"


def kept(stamp: str, *, read: bool) -> str | None:
    """The stamp to keep of a sidecar that was read; None, which differs from every stamp, of one that was not."""
    return stamp if read and not stamp.startswith(_UNSEEN) else None


def name_in(stamp: str) -> str:
    """The name of the sidecar that a stamp is of, "" of none."""
    found = _STAMP.fullmatch(stamp)
    return found["name"] if found else ""


def widens(known: str | None, stamp: str) -> bool:
    """Whether a stamp is a known one of an older picsift, which held no time of the last change of anything."""
    found = _STAMP.fullmatch(stamp)
    return found is not None and known == f"{found['narrow']}-{found['name']}"


def packet_beside(photo: Path, name: str) -> bytes | None:
    """The bytes of the sidecar of that name beside a photo; None where it says that it is another file's.

    Raises:
        OSError: it cannot be read, for the moment or for being above MAX_BYTES.
        ValueError: it is no file that is ever read, but a folder, say.
    """
    path = photo.with_name(name)
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{name!r} is no sidecar")
    if status.st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
    with path.open("rb") as file:
        packet = file.read(MAX_BYTES + 1)
    named = extension_named(packet)
    return packet if named is None or _plain(named) == _plain(photo.suffix[1:]) else None  # such as the RAW's


def read_sidecar(photo: Path, name: str) -> PhotoMetadata | None:
    """What the sidecar of that name beside a photo says; nothing where it is no file, None where it cannot be read.

    The difference counts: what cannot be read for the moment, or is too large, may say what it said before.
    """
    try:
        packet = packet_beside(photo, name)
    except OSError:
        return None
    except ValueError:
        return PhotoMetadata()
    return PhotoMetadata() if packet is None else read_xmp(packet, "sidecar")


def _plain(extension: str) -> str:
    """An extension as it is compared: two spellings of one format are the same."""
    return _SPELLINGS.get(extension.lower(), extension.lower())
