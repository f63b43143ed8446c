"""A photo's identity: a hash of its coded picture that stays the same when a program writes metadata into the file.

What changes the picture that is seen counts: coded pixels, tables, colour profile, orientation. EXIF, XMP, IPTC,
comments and what is appended do not. A file that cannot be taken apart, or of another format, is hashed as a whole.
A hash of the whole file has 32 hexadecimal digits, one of the coded picture 34: the last two name the scheme.
Pure but for `hash_file`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Collection
from pathlib import Path

from indexer.pictures.content import boxes as content_boxes
from indexer.pictures.content import chunks as content_chunks
from indexer.pictures.content import tiff as content_tiff
from indexer.pictures.formats import sniff

LARGEST = 256 << 20
"""Bytes of a file that is taken apart; a larger one is hashed as a whole, in pieces."""
MOST_READ = 4 * LARGEST
"""Bytes of parts; a file whose parts are the same bytes, over and over, is hashed as a whole: it would take hours."""
_SCHEME = "c1"
_WHOLE_DIGITS = 32
_PIECE = 1 << 20

_MP4_STARTS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_PARTS: dict[str, Callable[[memoryview], list[bytes | memoryview]]] = {
    "JPEG": content_chunks.jpeg,
    "PNG": content_chunks.png,
    "WEBP": content_chunks.webp,
    "GIF": content_chunks.gif,
    "HEIF": content_boxes.heif,
    "AVIF": content_boxes.heif,
    "JXL": content_boxes.jxl,
    "TIFF": content_tiff.tiff,
    "RAW": content_tiff.tiff,
}


def hash_bytes(source: bytes, *, like: Collection[str] = ()) -> str:
    """The content hash of a whole file.

    Args:
        source: the file.
        like: hashes that the catalog has; where one is an old one, of the whole file, and still true, it is given
            back, so that no photo is taken for another only because picsift hashes differently now.
    """
    if any(map(is_whole, like)) and (whole := _whole(source)) in like:
        return whole
    parts = coded_parts(source)
    if parts is None:
        return _whole(source)
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(struct.pack(">Q", len(part)))
        digest.update(part)
    return digest.hexdigest() + _SCHEME


def hash_file(path: Path, *, like: Collection[str] = (), whole: bool = False) -> str:
    """The `hash_bytes` of a file, or its hash as a whole. Raises OSError or ValueError where it cannot be read."""
    with path.open("rb") as file:
        source = file.read(LARGEST + 1)
        if len(source) <= LARGEST:
            return _whole(source) if whole else hash_bytes(source, like=like)
        digest = hashlib.blake2b(source, digest_size=16)
        while source := file.read(_PIECE):
            digest.update(source)
    return digest.hexdigest()


def is_whole(content_hash: str) -> bool:
    """Whether a hash is one of a whole file, as all were once."""
    return len(content_hash) == _WHOLE_DIGITS


def coded_parts(source: bytes) -> list[bytes | memoryview] | None:
    """What of a file makes the picture, in order; None where only the whole file will do."""
    if len(source) > LARGEST:
        return None
    name = sniff(source)
    take = _PARTS.get(name) if name else content_boxes.mp4 if source[4:8] in _MP4_STARTS else None
    if take is None:
        return None
    try:
        parts = take(memoryview(source))
    except (ValueError, LookupError, struct.error, OverflowError, RecursionError):
        return None
    return None if sum(map(len, parts)) > MOST_READ else [take.__name__.encode(), *parts]


def _whole(source: bytes) -> str:
    return hashlib.blake2b(source, digest_size=16).hexdigest()
