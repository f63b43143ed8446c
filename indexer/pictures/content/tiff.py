"""What makes the picture in a TIFF, or a RAW file that is built like one: strips, tiles, and the tags that read them.

It raises ValueError, IndexError or struct.error where the file is not built as it should be. Nothing is decoded.
"""

from __future__ import annotations

import struct

Parts = list[bytes | memoryview]

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_OFFSETS = {273: 279, 324: 325, 513: 514}  # where strips, tiles, a JPEG start: the tag that says how long they are
_SUB_DIRECTORIES = 330
_STRUCTURE = frozenset(
    (
        *(254, 255, 256, 257, 258, 259, 262, 266, 274, 277, 278, 279, 280, 281, 284, 290, 291, 292, 293, 301, 317),
        *(318, 319, 320, 322, 323, 325, 332, 333, 334, 336, 338, 339, 340, 341, 342, 347, 512, 514, 515, 517, 518),
        *(519, 520, 521, 529, 530, 531, 532, 33421, 33422, 34675),
        *range(50710, 50740),  # DNG: levels, crop, colour matrices, white balance
        *(50829, 50830),
    )
)
_MAX_DIRECTORIES = 64
_MAX_ENTRIES = 4096
_MAX_STRIPS = 1 << 20

_Entry = tuple[int, int, memoryview]  # type, count, values as bytes


def tiff(source: memoryview) -> Parts:
    """The structural tags and the coded data of every picture in the file, sub-pictures among them."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(source[:2]))
    if order is None:  # a RAW of another build
        raise ValueError("not a TIFF")
    (magic,) = struct.unpack_from(f"{order}H", source, 2)
    if magic not in (42, 43):
        raise ValueError("not a TIFF")
    big = magic == 43
    kept: Parts = [order.encode()]
    pending = [struct.unpack_from(f"{order}{'Q' if big else 'I'}", source, 8 if big else 4)[0]]
    seen: set[int] = set()
    while pending:
        at = pending.pop(0)
        if at == 0:
            continue
        if at in seen or len(seen) >= _MAX_DIRECTORIES:
            raise ValueError("directories in a circle, or too many")
        seen.add(at)
        entries, following = _directory(source, order, at, big=big)
        kept += _picture(source, order, entries)
        if _SUB_DIRECTORIES in entries:
            pending += _numbers(order, entries[_SUB_DIRECTORIES])
        pending.append(following)
    return kept


def _directory(source: memoryview, order: str, at: int, *, big: bool) -> tuple[dict[int, _Entry], int]:
    count_format, head, wide, width = ("Q", "HHQ", "Q", 20) if big else ("H", "HHI", "I", 12)
    inline = 8 if big else 4
    (count,) = struct.unpack_from(f"{order}{count_format}", source, at)
    if count > _MAX_ENTRIES:
        raise ValueError("too many tags")
    at += 8 if big else 2
    entries: dict[int, _Entry] = {}
    for start in range(at, at + width * count, width):
        tag, kind, number = struct.unpack_from(f"{order}{head}", source, start)
        size = _SIZES.get(kind, 1) * number
        where = start + width - inline
        if size > inline:
            (where,) = struct.unpack_from(f"{order}{wide}", source, where)
        if where + size > len(source):
            raise ValueError("a tag ends outside the file")
        entries.setdefault(tag, (kind, number, source[where : where + size]))
    (following,) = struct.unpack_from(f"{order}{wide}", source, at + width * count)
    return entries, following


def _picture(source: memoryview, order: str, entries: dict[int, _Entry]) -> Parts:
    """The tags of one directory in the order of their numbers, then its data."""
    kept: Parts = []
    for tag in sorted(_STRUCTURE & entries.keys()):
        kind, count, values = entries[tag]
        if tag == 274 and _numbers(order, entries[tag])[:1] == [1]:  # upright, as without the tag
            continue
        kept += [struct.pack(">HHI", tag, kind, count), values]
    for offsets, lengths in _OFFSETS.items():
        if offsets not in entries:
            continue
        if lengths not in entries:
            raise ValueError("data of unknown length")
        places = zip(_numbers(order, entries[offsets]), _numbers(order, entries[lengths]), strict=True)
        for start, length in places:
            if start + length > len(source):
                raise ValueError("data ends outside the file")
            kept.append(source[start : start + length])
    return kept


def _numbers(order: str, entry: _Entry) -> list[int]:
    kind, count, values = entry
    letter = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind)
    if letter is None or count > _MAX_STRIPS:
        raise ValueError("numbers were expected")
    return list(struct.unpack(f"{order}{count}{letter}", values))
