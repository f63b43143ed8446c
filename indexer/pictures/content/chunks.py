"""What makes the picture in files that are a row of segments or chunks: JPEG, PNG, WebP, GIF.

Each function takes a whole file and gives its parts that count, in order. It raises ValueError, IndexError or
struct.error where the file is not built as it should be. Nothing is decoded.
"""

from __future__ import annotations

import re
import struct

from indexer.pictures.content.orientation import orientation

Parts = list[bytes | memoryview]

MOST_PARTS = 1 << 18
"""Of a file that is taken apart; one made of more, each of few bytes, is hashed as a whole."""
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # in coded data: no stuffed zero, no restart, no filling
_EOI, _SOS, _COM, _APP1, _APP2, _APP14 = 0xD9, 0xDA, 0xFE, 0xE1, 0xE2, 0xEE
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"


def bounded(part: memoryview, kept: Parts) -> memoryview:
    """Give the part; ValueError where there are too many."""
    if len(kept) >= MOST_PARTS:
        raise ValueError("too many parts")
    return part


def jpeg(source: memoryview) -> Parts:
    """Everything from SOI to the first EOI but APPn and COM; of these the profile and Adobe's colour transform."""
    kept: Parts = []
    exif = xmp = None
    at = 2
    while True:
        if source[at] != 0xFF:
            raise ValueError("a marker was expected")
        kind = source[at + 1]
        if kind == 0xFF:  # filling
            at += 1
            continue
        if kind == _EOI:
            return [orientation(exif, xmp), *kept]
        end = at + 2 + int.from_bytes(source[at + 2 : at + 4], "big")
        if end < at + 4 or end > len(source):
            raise ValueError("a segment ends outside the file")
        if kind == _SOS:
            found = MARKER.search(source, end)
            if found is None:
                raise ValueError("the picture does not end")
            kept.append(source[at : found.start()])
            at = found.start()
            continue
        body = bytes(source[at + 4 : end]) if kind in (_APP1, _APP2) else b""
        if body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif body.startswith(_XMP_HEAD):
            xmp = xmp or body
        if not (0xE0 <= kind <= 0xEF or kind == _COM) or kind == _APP14 or body.startswith(b"ICC_PROFILE\0"):
            kept.append(bounded(source[at:end], kept))
        at = end


_PNG_METADATA = frozenset((b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME"))


def png(source: memoryview) -> Parts:
    """Every chunk up to IEND but texts, EXIF and the time; checksums left out."""
    kept: Parts = []
    exif = xmp = None
    at = 8
    while True:
        size, kind = struct.unpack_from(">I4s", source, at)
        end = at + 12 + size
        if end > len(source):
            raise ValueError("a chunk ends outside the file")
        if kind == b"IEND":
            return [orientation(exif, xmp), *kept]
        body = source[at + 8 : end - 4]
        if kind == b"eXIf":
            exif = bytes(body)
        elif kind == b"iTXt" and bytes(body[:18]) == b"XML:com.adobe.xmp\0":
            xmp = bytes(body)
        # EXIF in a text, as ImageMagick writes it, may hold an orientation too.
        if kind not in _PNG_METADATA or bytes(body[:17]) == b"Raw profile type ":
            kept.append(bounded(source[at + 4 : end - 4], kept))
        at = end


def webp(source: memoryview) -> Parts:
    """Every chunk but EXIF and XMP; the extended header only where it says more than the picture itself."""
    kept: Parts = []
    exif = xmp = None
    at, total = 12, 8 + int.from_bytes(source[4:8], "little")
    if total > len(source) + 1:
        raise ValueError("the file is cut short")
    while at + 8 <= min(total, len(source)):
        kind, size = struct.unpack_from("<4sI", source, at)
        body = source[at + 8 : at + 8 + size]
        if len(body) < size:
            raise ValueError("a chunk ends outside the file")
        if kind == b"EXIF":
            exif = bytes(body)
        elif kind == b"XMP ":
            xmp = bytes(body)
        elif kind == b"VP8X":  # bit 1: an animation, whose canvas is in this header alone
            kept += [kind, bytes([body[0] & 0x12]), body[1:]] if body[0] & 0x02 else []
        else:
            kept += [kind, bounded(body, kept)]
        at += 8 + size + size % 2
    if not kept:
        raise ValueError("there is no picture")
    return [orientation(exif, xmp), *kept]


def gif(source: memoryview) -> Parts:
    """Everything up to the trailer but comments and XMP."""
    at = 13 + _table_size(source[10])
    kept: Parts = [source[6:at]]  # without the version, which writers of metadata raise from 87a to 89a
    while source[at] != 0x3B:
        begin = at
        if source[at] == 0x21:
            at = _after_blocks(source, at + 2)
            application = bytes(source[begin + 3 : begin + 14])
            if source[begin + 1] == 0xFE or (source[begin + 1] == 0xFF and application == b"XMP DataXMP"):
                continue
        elif source[at] == 0x2C:
            at = _after_blocks(source, at + 11 + _table_size(source[at + 9]))
        else:
            raise ValueError("a block was expected")
        kept.append(bounded(source[begin:at], kept))
    return kept


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(source: memoryview, at: int) -> int:
    while source[at]:
        at += 1 + source[at]
    return at + 1
