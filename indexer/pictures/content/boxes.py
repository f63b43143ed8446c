"""What makes the picture in files of boxes: HEIF and AVIF by items, JPEG XL by its codestream, MP4 by its tracks.

Each function takes a whole file and gives its parts that count. It raises ValueError, IndexError or struct.error where
the file is not built as it should be, or is more than what it is taken for. Nothing is decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from indexer.pictures.content.chunks import MOST_PARTS, bounded
from indexer.pictures.content.orientation import orientation

Parts = list[bytes | memoryview]
_Box = tuple[bytes, memoryview]

_TIFF_START = re.compile(rb"II\*\0|MM\0\*")
MOST_DECODED = 10_000
"""Coded pictures of a HEIF; libheif takes 1,000, each of which is a tile once."""
_NOT_CODED = frozenset((b"Exif", b"mime", b"uri ", b"grid", b"iovl", b"iden", b"tmap"))
_MOVING = frozenset((b"moov", b"moof"))


def heif(source: memoryview) -> Parts:
    """The data and kind of every item but EXIF and XMP, their properties (colour, turn, size, tiles) and relations."""
    top = list(_boxes(source))
    meta = [body for kind, body in top if kind == b"meta"]
    if len(meta) != 1 or any(kind in _MOVING for kind, _ in top):
        raise ValueError("not one still picture")
    inside = dict(_boxes(meta[0][4:]))
    kinds = _item_kinds(inside[b"iinf"]) if b"iinf" in inside else {}
    places = _item_places(inside[b"iloc"]) if b"iloc" in inside else {}
    kept: Parts = [inside.get(b"pitm", b""), inside.get(b"iprp", b"")]
    pictures = {number: kind for number, kind in sorted(kinds.items()) if kind not in (b"Exif", b"mime")}
    if not pictures:
        raise ValueError("there is no picture")
    for number, kind in pictures.items():
        method, extents = places.get(number, (0, []))
        data = {0: source, 1: inside.get(b"idat", memoryview(b""))}[method] if method in (0, 1) else None
        if data is None:
            raise ValueError("data that is made of other items' data")
        kept.append(struct.pack(">I4s", number, kind))
        for start, length in extents:
            if length == 0 or start + length > len(data):
                raise ValueError("an item ends outside the file")
            kept.append(bounded(data[start : start + length], kept))
    return kept + [part for number, part in _references(inside.get(b"iref")) if number in pictures]


def too_many_pieces(heif: bytes) -> str | None:
    """Why a HEIF takes too long to decode: it is made of few pictures, over and over; None where it does not."""
    try:
        if _count_decoded(heif) <= MOST_DECODED:
            return None
    except (ValueError, LookupError, struct.error):  # of one picture alone, or damaged
        return None
    return f"a HEIF of more than {MOST_DECODED:,} pieces takes too long to decode; save it anew"


def _count_decoded(source: bytes) -> int:
    """How many coded pictures a decoder goes through for the one that is shown, by way of grids of grids."""
    inside = _meta(source)
    made_of: dict[int, list[int]] = {}
    width = 4 if inside[b"iref"][0] else 2
    for kind, entry in _boxes(inside[b"iref"][4:]):
        if kind == b"dimg":
            ends = range(width + 2, len(entry) - width + 1, width)
            made_of[int.from_bytes(entry[:width], "big")] = [
                int.from_bytes(entry[at : at + width], "big") for at in ends
            ]
    counts: dict[int, int] = {}
    begun = set()
    pending = [int.from_bytes(inside[b"pitm"][4:], "big")]
    while pending:
        item = pending[-1]
        open_ones = [part for part in made_of.get(item, ()) if part not in counts]
        if item in counts or item in begun or not open_ones:
            counts.setdefault(item, sum(counts.get(part, 0) for part in made_of.get(item, ())) or 1)
            pending.pop()
        else:
            begun.add(item)
            pending += open_ones
    return max(counts.values())


def reaches(source: bytes, start: int) -> bool:
    """Whether a coded picture of a HEIF or AVIF has a part behind a place in the file; EXIF, say, is none."""
    inside = _meta(source)
    kinds = _item_kinds(inside[b"iinf"])
    return any(
        length == 0 or begin + length > start
        for number, (method, extents) in _item_places(inside[b"iloc"]).items()
        if method == 0 and kinds.get(number) not in _NOT_CODED
        for begin, length in extents
    )


def _meta(source: bytes) -> dict[bytes, memoryview]:
    """The boxes in the first `meta` box of a file; whatever follows it may be cut short."""
    at = source.index(b"meta") - 4
    size = int.from_bytes(source[at : at + 4], "big")
    return dict(_boxes(memoryview(source)[at + 12 : at + size]))


def jxl(source: memoryview) -> Parts:
    """The codestream, in a box or bare, what a JPEG is rebuilt from, and the orientation that EXIF names."""
    if bytes(source[:2]) == b"\xff\x0a":
        return [orientation(None, None), source]
    kept: Parts = []
    rebuilt: Parts = []
    exif = None
    for kind, body in _boxes(source):
        if kind == b"Exif" and (found := _TIFF_START.search(body, 0, 64)):
            exif = bytes(body[found.start() :])
        elif kind == b"brob" and bytes(body[:4]) == b"Exif":
            raise ValueError("EXIF is compressed, and may name an orientation")
        elif kind == b"jxlc":
            kept.append(body)
        elif kind == b"jxlp":
            kept.append(body[4:])
        elif kind == b"jbrd":
            rebuilt.append(body)
    if not kept:
        raise ValueError("there is no codestream")
    return [orientation(exif, None), b"".join(kept), *rebuilt]


def mp4(source: memoryview) -> Parts:
    """The media data of an MP4 or QuickTime file, and of each track how it is coded, timed, cut and turned."""
    kept: Parts = []
    tracks: list[memoryview] = []
    for kind, body in _boxes(source):
        if kind == b"mdat":
            kept.append(body)
        elif kind == b"moov":
            tracks += [inside for track, inside in _boxes(body) if track == b"trak"]
        elif kind == b"moof":
            raise ValueError("in fragments")
    if not kept or not tracks:
        raise ValueError("there is no media data, or nothing that says what it is")
    for track in tracks:
        boxes = dict(_boxes(track))
        kept += [boxes[b"tkhd"][-44:], boxes.get(b"edts", b"")]  # the matrix and the size at the end; dates before
        table = dict(_boxes(dict(_boxes(dict(_boxes(boxes[b"mdia"]))[b"minf"]))[b"stbl"]))
        # Where the data lies in the file is another place once there are more tags before it.
        kept += [part for kind, part in sorted(table.items()) if kind not in (b"stco", b"co64")]
    return kept


def _boxes(source: memoryview) -> Iterator[_Box]:
    at = number = 0
    while at + 8 <= len(source):
        number += 1
        size, kind = struct.unpack_from(">I4s", source, at)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", source, start)
            start += 8
        end = len(source) if size == 0 else at + size
        if end < start or end > len(source) or number > MOST_PARTS:
            raise ValueError("a box ends outside the file, or there are too many")
        yield kind, source[start:end]
        at = end


class _Fields:
    """Reads numbers of given widths one after the other."""

    def __init__(self, body: memoryview) -> None:
        self.version = body[0]
        self._body, self._at = body, 4

    def take(self, width: int) -> int:
        end = self._at + width
        if end > len(self._body):
            raise ValueError("a box ends too early")
        value = int.from_bytes(self._body[self._at : end], "big")
        self._at = end
        return value

    @property
    def rest(self) -> memoryview:
        return self._body[self._at :]


def _item_kinds(body: memoryview) -> dict[int, bytes]:
    fields = _Fields(body)
    fields.take(2 if fields.version == 0 else 4)
    kinds: dict[int, bytes] = {}
    for kind, entry in _boxes(fields.rest):
        one = _Fields(entry)
        if kind != b"infe" or one.version < 2:
            raise ValueError("items of an unknown version")
        number = one.take(2 if one.version == 2 else 4)
        one.take(2)  # protection
        kinds[number] = one.take(4).to_bytes(4, "big")
    return kinds


def _item_places(body: memoryview) -> dict[int, tuple[int, list[tuple[int, int]]]]:
    """Where each item's data lies: how it is addressed (0: the file, 1: `idat`), and its pieces' starts and lengths."""
    fields = _Fields(body)
    version, sizes = fields.version, fields.take(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    places = {}
    for _ in range(fields.take(4 if version == 2 else 2)):
        number = fields.take(4 if version == 2 else 2)
        method = fields.take(2) & 15 if version else 0
        fields.take(2)  # which file: this one
        base = fields.take(base_size)
        extents = []
        for _ in range(fields.take(2)):
            fields.take(index_size)
            start = base + fields.take(offset_size)
            extents.append((start, fields.take(length_size)))
        places[number] = (method, extents)
    return places


def _references(body: memoryview | None) -> Iterator[tuple[int, bytes]]:
    """Which item each relation starts from, and the relation: tiles of a grid, alpha of a picture, thumbnails."""
    if body is None:
        return
    width = 4 if body[0] else 2
    for kind, entry in _boxes(body[4:]):
        yield int.from_bytes(entry[:width], "big"), kind + bytes(entry)
