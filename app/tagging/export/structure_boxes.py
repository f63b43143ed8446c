"""What is in files of boxes or directories beside the XMP and IPTC that an export writes: HEIF, AVIF, JPEG XL, TIFF.

As `structure_parts.py`, which tells what is raised.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

from app.tagging.export.structure_parts import TWO_PACKETS, OddError, Rest

_STILL = frozenset((b"ftyp", b"meta", b"mdat", b"free", b"skip"))
_CODESTREAM = frozenset((b"jxlc", b"jxlp"))
_SIGN = frozenset((b"JXL ", b"ftyp", b"jxll"))
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_XMP, _IPTC, _PHOTOSHOP, _DNG, _NOTES = 700, 33723, 34377, 50706, 37500
_BELOW = (330, 34665, 34853, 40965)  # directories below
_PLACES = frozenset((273, 288, 324, 513, *_BELOW, _NOTES))  # where things lie; maker notes ExifTool compares
_SMALL = 513
_MOST = 1 << 12
_ENDS: dict[str, Literal["little", "big"]] = {"<": "little", ">": "big"}


def heif(source: bytes) -> Rest:
    """The kind and bytes of every item. Nothing but the picture's own boxes may be in the file: no film, no trailer."""
    top = list(_boxes(source))
    kinds = [kind for kind, _ in top]
    if strange := [kind for kind in kinds if kind not in _STILL]:
        name = strange[0].decode("latin-1")
        raise OddError(f"it holds more than a still picture ({name!r}, such as a film), which would be rearranged.")
    if kinds[:1] != [b"ftyp"] or kinds.count(b"meta") != 1:
        raise ValueError("not one still picture")
    inside = dict(_boxes(dict(top)[b"meta"][4:]))
    names, places = _item_kinds(inside[b"iinf"]), _item_places(inside[b"iloc"])
    others: list[tuple[object, bytes]] = [("ftyp", bytes(top[0][1]))]
    texts = []
    for number, kind in sorted(names.items()):
        method, extents = places.get(number, (0, []))
        if method not in (0, 1):
            raise OddError("its data is made of other items' data.")
        data = source if method == 0 else inside.get(b"idat", b"")
        if any(not length or start + length > len(data) for start, length in extents):
            raise ValueError("an item ends outside the file")
        content = b"".join(data[start : start + length] for start, length in extents)
        if kind == b"mime":
            texts.append(content)
        else:
            others.append(((number, kind), content))
    return Rest(others, texts)


def jxl(source: bytes) -> Rest:
    """Every box but XMP; of a bare codestream nothing, which the picture's hash covers."""
    if source[:2] == b"\xff\x0a":
        return Rest([])
    boxes = list(_boxes(source))
    if any(kind == b"jbrd" for kind, _ in boxes):
        raise OddError("a JPEG can be made of it again, for which its XMP is needed as it is.")
    if any(kind == b"brob" and body[:4] == b"xml " for kind, body in boxes):
        raise OddError("the XMP in it is compressed.")
    if sum(kind == b"xml " for kind, _ in boxes) > 1:
        raise OddError(TWO_PACKETS)
    # the codestream may be cut otherwise; the picture's hash covers it
    return Rest([(kind, body) for kind, body in boxes if kind not in {b"xml ", *_CODESTREAM, *_SIGN}])


def tiff(source: bytes, *, raw: bool = False) -> Rest:
    """Every tag of every directory but XMP, IPTC and Photoshop's of the first, and where things lie."""
    kept = [(name, value) for name, value in exif(source) if name[0] or name[1] not in (_XMP, _IPTC, _PHOTOSHOP)]
    if raw and not any(number == 0 and tag == _DNG for (number, tag, _), _ in kept):
        raise OddError("it is called a DNG, and is another camera RAW.")
    return Rest(list(kept))


def exif(source: bytes) -> list[tuple[tuple[int, int, int], bytes]]:
    """Every tag of every directory but where things lie, and the small picture: directory, number, type, and value."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(source[:4])
    if order is None:
        raise OddError("it is a TIFF of another kind (such as BigTIFF) than ExifTool writes.")
    found: list[tuple[tuple[int, int, int], bytes]] = []
    pending, seen = [_number(source, order, 4)], set[int]()
    while pending:
        if (at := pending.pop(0)) == 0:
            continue
        if at in seen or len(seen) > _MOST:
            raise ValueError("directories in a circle, or too many")
        number = len(seen)
        seen.add(at)
        tags, following = _directory(source, order, at)
        for tag, kind, value in sorted(tags, key=lambda one: one[0]):
            if tag in _BELOW and kind in (4, 13):
                pending += struct.unpack(f"{order}{len(value) // 4}I", value)
            if tag not in _PLACES:
                found.append(((number, tag, kind), value))
        small = {tag: int.from_bytes(value, _ENDS[order]) for tag, _, value in tags if tag in (_SMALL, _SMALL + 1)}
        if len(small) == 2:  # a JPEG
            found.append(((number, _SMALL, 0), source[small[_SMALL] : small[_SMALL] + small[_SMALL + 1]]))
        pending.append(following)
    return found


def _directory(source: bytes, order: str, at: int) -> tuple[list[tuple[int, int, bytes]], int]:
    """Number, type and value of each tag, and where the next directory is."""
    (count,) = struct.unpack_from(f"{order}H", source, at)
    tags = []
    for start in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", source, start)
        size = _SIZES.get(kind, 1) * number
        where = start + 8 if size <= 4 else _number(source, order, start + 8)
        if where + size > len(source):
            raise ValueError("a tag ends outside the file")
        tags.append((tag, kind, source[where : where + size]))
    return tags, _number(source, order, at + 2 + 12 * count)


def _number(source: bytes, order: str, at: int) -> int:
    return int(struct.unpack_from(f"{order}I", source, at)[0])


def _boxes(source: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(source):
        size, kind = struct.unpack_from(">I4s", source, at)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", source, start)
            start += 8
        end = at + size
        if end < start or end > len(source):  # 0 is "to the end of the file", whatever was appended to it
            raise OddError("something follows the picture in it, which would be rearranged.")
        yield kind, source[start:end]
        at = end


def _item_kinds(body: bytes) -> dict[int, bytes]:
    """The four letters of each item."""
    kinds = {}
    for kind, entry in _boxes(body[6 if body[0] == 0 else 8 :]):
        if kind != b"infe" or entry[0] < 2:
            raise ValueError("items of an unknown version")
        width = 2 if entry[0] == 2 else 4
        kinds[int.from_bytes(entry[4 : 4 + width], "big")] = entry[6 + width : 10 + width]
    return kinds


def _item_places(body: bytes) -> dict[int, tuple[int, list[tuple[int, int]]]]:
    """How each item is addressed (0: the file, 1: `idat`), and its pieces' starts and lengths."""
    version, at = body[0], 4

    def take(width: int) -> int:
        nonlocal at
        if at + width > len(body):
            raise ValueError("a box ends too early")
        at += width
        return int.from_bytes(body[at - width : at], "big")

    sizes = take(2)
    places = {}
    for _ in range(take(4 if version == 2 else 2)):
        number = take(4 if version == 2 else 2)
        method = take(2) & 15 if version else 0
        take(2)
        base = take(sizes >> 4 & 15)
        extents = []
        for _ in range(take(2)):
            take(sizes & 15 if version else 0)
            start = base + take(sizes >> 12)
            extents.append((start, take(sizes >> 8 & 15)))
        places[number] = (method, extents)
    return places
