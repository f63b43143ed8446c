"""What is in a JPEG, PNG, WebP or GIF beside the XMP and IPTC that an export writes: in its order, to be compared.

Each function takes a whole file. It raises OddError where the file is built in a way that ExifTool would rearrange or
lose, and ValueError, IndexError or struct.error where it is not built as it should be.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from indexer.errors import PicsiftError

TWO_PACKETS = "it holds more than one XMP packet, of which one would get lost."
_XMP, _XMP_MORE = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_BLOCKS = b"Photoshop 3.0\0"
_IPTC, _IPTC_DIGEST = 0x0404, 0x0425
_SOS, _APP1, _APP2, _APP13 = 0xDA, 0xE1, 0xE2, 0xED
_LONELY = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length


class OddError(PicsiftError):
    """A file is built in a way in which nothing is written into it."""


class Rest(NamedTuple):
    """What has to stay.

    Attributes:
        others: name and bytes of each part, in order.
        texts: bytes of each item that may be the packet (HEIF); all stay but the packet itself.
    """

    others: list[tuple[object, bytes]]
    texts: list[bytes] = []  # noqa: RUF012 - never changed


def jpeg(source: bytes) -> Rest:
    """Every segment but XMP, the blocks of APP13 but IPTC and its digest, and all from the first scan to the end."""
    others: list[tuple[object, bytes]] = []
    packets = blocks = 0
    at = 2
    while True:
        if source[at] != 0xFF:
            raise ValueError("a marker was expected")
        kind = source[at + 1]
        if kind == 0xFF or kind in _LONELY:
            at += 1 if kind == 0xFF else 2
            continue
        if kind == _SOS:
            break
        end = at + 2 + int.from_bytes(source[at + 2 : at + 4], "big")
        body = source[at + 4 : end]
        if end < at + 4 or end > len(source):
            raise ValueError("a segment ends outside the file")
        at = end
        if kind == _APP1 and body.startswith((_XMP, _XMP_MORE)):
            packets += 1
        elif kind == _APP13 and body.startswith(_BLOCKS):
            blocks += 1
            others += _photoshop(body[len(_BLOCKS) :])
        elif kind == _APP2 and body.startswith(b"MPF\0"):
            others.append(("MPF", b""))  # tells where other pictures start, which moves
        else:
            others.append((kind, body))
    if packets > 1:
        raise OddError(TWO_PACKETS)
    if blocks > 1:
        raise OddError("its Photoshop data, with IPTC, is in several parts.")
    return Rest([*others, ("picture", source[at:])])


def _photoshop(body: bytes) -> list[tuple[object, bytes]]:
    """The image resources but IPTC and its digest."""
    found: list[tuple[object, bytes]] = []
    at = blocks = 0
    while body[at:].strip(b"\0"):
        if at + 12 > len(body):
            raise OddError("its Photoshop data is damaged.")
        sign, number = body[at : at + 4], int.from_bytes(body[at + 4 : at + 6], "big")
        start = at + 7 + body[at + 6]
        start += (start - at) % 2
        size = int.from_bytes(body[start : start + 4], "big")
        if sign != b"8BIM" or start + 4 + size > len(body):
            raise OddError("its Photoshop data is damaged.")
        if number not in (_IPTC, _IPTC_DIGEST):
            found.append(((sign, number, body[at + 6 : start]), body[start + 4 : start + 4 + size]))
        blocks += number == _IPTC
        at = start + 4 + size + size % 2
    if blocks > 1:
        raise OddError("it holds more than one IPTC block, of which one would get lost.")
    return found


def png(source: bytes) -> Rest:
    """Every chunk but XMP, and what follows the last."""
    others: list[tuple[object, bytes]] = []
    packets, at, kind = 0, 8, b""
    while kind != b"IEND":
        size, kind = struct.unpack_from(">I4s", source, at)
        body = source[at + 8 : at + 8 + size]
        at += 12 + size
        if at > len(source):
            raise ValueError("a chunk ends outside the file")
        if kind == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\0"):
            packets += 1
        elif kind in (b"tEXt", b"zTXt", b"iTXt") and body.startswith(
            (b"Raw profile type xmp\0", b"XML:com.adobe.xmp\0")
        ):
            raise OddError("its XMP is kept in a way of old.")
        else:
            others.append((kind, body))
    if packets > 1:
        raise OddError(TWO_PACKETS)
    return Rest([*others, ("tail", source[at:])])


def webp(source: bytes) -> Rest:
    """Every chunk but XMP, and of the extended header that."""
    others: list[tuple[object, bytes]] = []
    packets, at, total = 0, 12, 8 + int.from_bytes(source[4:8], "little")
    if len(source) > total + total % 2:
        raise OddError("something follows the picture in it, which would get lost.")
    while at + 8 <= len(source):
        kind, size = struct.unpack_from("<4sI", source, at)
        body = source[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
        if kind == b"XMP ":
            packets += 1
        elif kind != b"VP8X":  # it is new where there was none; its size is the picture's, its flags ExifTool's
            others.append((kind, body))
    if packets > 1:
        raise OddError(TWO_PACKETS)
    return Rest(others)


def gif(source: bytes) -> Rest:
    """Every block but XMP, and what follows the last."""
    at = 13 + _table_size(source[10])
    others: list[tuple[object, bytes]] = [("screen", source[6:at])]
    packets = 0
    while source[at] != 0x3B:
        begin = at
        if source[at] == 0x21:
            at = _after_blocks(source, at + 2)
        elif source[at] == 0x2C:
            at = _after_blocks(source, at + 11 + _table_size(source[at + 9]))
        else:
            raise ValueError("a block was expected")
        if source[begin : begin + 2] == b"\x21\xff" and source[begin + 3 : begin + 14] == b"XMP DataXMP":
            packets += 1
        else:
            others.append(("block", source[begin:at]))
    if packets > 1:
        raise OddError(TWO_PACKETS)
    return Rest([*others, ("tail", source[at:])])


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(source: bytes, at: int) -> int:
    while source[at]:
        at += 1 + source[at]
    return at + 1
