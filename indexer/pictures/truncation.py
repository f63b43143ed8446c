"""Whether a picture's file ends too early, in ways that its decoder lets pass by greying the rest. Decodes nothing."""

import struct
import zlib
from collections.abc import Iterator

from indexer.pictures.content import boxes as content_boxes

_ZERO_TAIL = 1024  # bytes; no sound compressed picture ends in so many zeros
_STRAY_ZEROS = 64  # that it may end in

_BOXES = frozenset(b"ftyp meta mdat moov moof mfra idat free skip uuid jumb".split())
"""Those that HEIF and AVIF are made of: one that goes on behind the end of the file is cut short, not foreign."""


def reason(name: str) -> str:
    """The reason kept with a photo whose file ends too early, or goes on in zeros."""
    return f"truncated or overwritten: the {name} file ends before its picture does"


def is_cut_short(name: str, source: bytes) -> bool:
    """Whether a file of this format ends before its picture does.

    What follows a picture does not count: see without_trailer().
    """
    if name == "JPEG":
        return source.endswith(bytes(16)) and source.find(b"\xff\xd9", _jpeg_scan_start(source)) < 0
    if name == "PNG":
        return _is_png_damaged(source)
    if name == "WEBP":
        # A flat picture may end in zeros by a twentieth of its size.
        zeros = source.endswith(bytes(max(_ZERO_TAIL, len(source) // 10)))
        return zeros or int.from_bytes(source[4:8], "little") + 8 > len(source) + 1
    if name in ("HEIF", "AVIF") or (name == "JXL" and source[:1] == b"\0"):
        found = list(boxes(source))
        zeros = bool(found) and found[-1][0] == b"mdat" and source.endswith(bytes(_ZERO_TAIL))
        zeros = zeros and (name == "JXL" or _is_picture_behind(source, len(source.rstrip(b"\0"))))
        return zeros or any(end > len(source) for _, end in found)
    return False


def _is_picture_behind(source: bytes, start: int) -> bool:
    """Whether zeros from there on are in place of a picture: EXIF that ends in its padding may stand last, too."""
    try:
        return content_boxes.reaches(source, start + _STRAY_ZEROS)
    except (ValueError, LookupError, struct.error):
        return True


def _jpeg_scan_start(source: bytes) -> int:
    """Where the compressed pixels start, past thumbnails in the metadata that hold markers of their own."""
    at = 2
    while at + 4 <= len(source) and source[at] == 0xFF and source[at + 1] != 0xDA:
        at += 1 if source[at + 1] == 0xFF else 2 + int.from_bytes(source[at + 2 : at + 4], "big")
    return at


def _is_png_damaged(source: bytes) -> bool:
    """Whether pixels are missing or fail their checksum, which Pillow does not look at."""
    at = 8
    while at + 12 <= len(source):
        size, kind = struct.unpack_from(">I4s", source, at)
        end = at + 12 + size
        if kind == b"IEND":
            return False
        if kind == b"IDAT" and (end > len(source) or zlib.crc32(source[at + 4 : end - 4]) != _u32(source, end - 4)):
            return True
        at = end
    return True


def _u32(source: bytes, at: int) -> int:
    return int.from_bytes(source[at : at + 4], "big")


def without_trailer(name: str, source: bytes) -> bytes:
    """The picture alone: without the video of a motion photo, a phone's own trailer, or a copy's padding behind it.

    Decoders of HEIF and AVIF take such bytes for boxes of the picture that are damaged; others stop at its end.
    """
    if name not in ("HEIF", "AVIF"):
        return source
    at = 0
    for kind, end in boxes(source):
        again = kind == b"ftyp" and at > 0
        foreign = kind not in _BOXES and (end > len(source) or not kind.isalnum())
        if again or foreign or kind == b"mpvd":
            return source[:at]
        at = end
    return source


def boxes(source: bytes) -> Iterator[tuple[bytes, int]]:
    """The outermost boxes of an ISO base media file: type, and where the box says it ends."""
    at = 0
    while at + 8 <= len(source):
        size, kind = struct.unpack_from(">I4s", source, at)
        header = 8
        if size == 1 and at + 16 <= len(source):
            size, header = int.from_bytes(source[at + 8 : at + 16], "big"), 16
        end = len(source) if size == 0 else at + size
        yield kind, end
        if end < at + header:
            return
        at = end
