"""What the first bytes of a camera RAW say: that it is one, its EXIF, and whether its data end too early.

Most RAWs are TIFF files. What tells them apart is the sensor's mosaic, which no picture has, or the DNG version; a
RAW's name decides only where a TIFF says neither. Pixels and previews are LibRaw's (raw.py).
"""

import struct
from collections.abc import Iterator

from PIL import Image
from PIL.ExifTags import IFD

from indexer.pictures.truncation import boxes

_NAMES = (
    "3fr arw bay cr2 cr3 crw dcr dng erf fff gpr iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
)
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())

_SIGNATURES = (
    (0, b"FUJIFILMCCD-RAW"),
    (0, b"IIU\0"),  # Panasonic, Leica
    (0, b"IIRO"),  # Olympus, three ways
    (0, b"IIRS"),
    (0, b"MMOR"),
    (0, b"\0MRM"),  # Minolta
    (0, b"FOVb"),  # Sigma
    (6, b"HEAPCCDR"),  # Canon before 2004
    (8, b"IIII"),  # Phase One, little-endian and big-endian
    (8, b"MMMM"),
    (8, b"CR\2\0"),  # Canon CR2
    (4, b"ftypcrx "),  # Canon CR3
)
_TIFF = (b"II*\0", b"MM\0*")
_LIKE_TIFF = (*_TIFF, b"IIU\0", b"IIRO", b"IIRS", b"MMOR")
_PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 262, 330, 50706
_OF_SENSORS = frozenset((32803, 34892))  # a colour filter's mosaic, linear samples of a sensor
_EXTENTS = ((273, 279), (324, 325))  # offsets and lengths of strips and of tiles
_TAGS = frozenset((_PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION, *(tag for pair in _EXTENTS for tag in pair)))
_TYPES = {1: "B", 3: "H", 4: "I", 13: "I"}
_MAX_DIRECTORIES, _MAX_VALUES = 32, 100_000
_CR3_HEAD = 1 << 20  # bytes; its metadata stand in front

_Fields = dict[int, tuple[int, ...]]


def is_raw(source: bytes, suffix: str = "") -> bool:
    """Whether a file is a camera RAW.

    Args:
        source: the whole file.
        suffix: of its name, in lower case; it is asked only about a TIFF that does not say.
    """
    if any(source.startswith(mark, at) for at, mark in _SIGNATURES):
        return source[8:12] not in (b"IIII", b"MMMM") or source.startswith(_TIFF)
    if not source.startswith(_TIFF):
        return False
    if suffix in SUFFIXES:
        return True
    return any(
        _DNG_VERSION in fields or not _OF_SENSORS.isdisjoint(fields.get(_PHOTOMETRIC, ()))
        for fields in _directories(source)
    )


def is_like_tiff(start: bytes) -> bool:
    """Whether a RAW's first directory stands where that of a TIFF does."""
    return start.startswith(_LIKE_TIFF)


def is_cut_short(source: bytes) -> bool:
    """Whether the sensor's data, as far as the header says where they are, go on behind the end of the file."""
    if source.startswith(b"FUJIFILMCCD-RAW") and len(source) >= 108:
        preview, preview_size, _, _, data, data_size = struct.unpack_from(">6I", source, 84)
        return bool(max(preview + preview_size, data + data_size) > len(source))
    if source.startswith(b"ftypcrx ", 4):
        return any(end > len(source) for _, end in boxes(source))
    return any(_last_byte(fields) > len(source) for fields in _sensor_directories(source))


def exif(source: bytes) -> Image.Exif | None:
    """The EXIF of a RAW that keeps it in its own header, None where only the preview has it."""
    found = Image.Exif()
    if source.startswith(_LIKE_TIFF):
        found.load((b"II*\0" if source[:2] == b"II" else b"MM\0*") + source[4:])
        return found
    if not source.startswith(b"ftypcrx ", 4):
        return None
    found.load(_cr3_directory(source, b"CMT1"))
    for tag, box in ((IFD.Exif, b"CMT2"), (IFD.GPSInfo, b"CMT4")):
        part = Image.Exif()
        part.load(_cr3_directory(source, box))
        found.get_ifd(tag).update(part)
    return found


def _cr3_directory(source: bytes, box: bytes) -> bytes:
    """The TIFF directory in one of Canon's metadata boxes, or nothing."""
    at = source.find(box, 4, _CR3_HEAD)
    return source[at + 4 : at - 4 + int.from_bytes(source[at - 4 : at], "big")] if at > 0 else b""


def _sensor_directories(source: bytes) -> Iterator[_Fields]:
    if not source.startswith(_TIFF):
        return  # the others keep their data where no strip says
    for fields in _directories(source):
        if not _OF_SENSORS.isdisjoint(fields.get(_PHOTOMETRIC, ())):
            yield fields


def _last_byte(fields: _Fields) -> int:
    ends = [
        offset + length
        for offsets, lengths in _EXTENTS
        for offset, length in zip(fields.get(offsets, ()), fields.get(lengths, ()), strict=False)
    ]
    return max(ends, default=0)


def _directories(source: bytes) -> Iterator[_Fields]:
    """What each TIFF directory says under _TAGS: the first, those that follow it, and those below them."""
    order = "<" if source[:2] == b"II" else ">"
    waiting, seen = [_number(source, 4, order)], {0}
    while waiting and len(seen) <= _MAX_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen or at + 2 > len(source):
            continue
        seen.add(at)
        count = min(struct.unpack_from(f"{order}H", source, at)[0], (len(source) - at - 2) // 12)
        fields = dict(_fields(source, at + 2, count, order))
        waiting += [*fields.get(_SUB_DIRECTORIES, ())[:_MAX_DIRECTORIES], _number(source, at + 2 + 12 * count, order)]
        yield fields


def _fields(source: bytes, at: int, count: int, order: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    for entry in range(at, at + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", source, entry)
        if tag not in _TAGS or kind not in _TYPES or length > _MAX_VALUES:
            continue
        layout = f"{order}{length}{_TYPES[kind]}"
        size = struct.calcsize(layout)
        place = entry + 8 if size <= 4 else _number(source, entry + 8, order)
        if place + size <= len(source):
            yield tag, struct.unpack_from(layout, source, place)


def _number(source: bytes, at: int, order: str) -> int:
    return int(struct.unpack_from(f"{order}I", source, at)[0]) if at + 4 <= len(source) else 0
