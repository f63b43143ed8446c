"""The orientation that a file's EXIF or XMP asks for, out of raw bytes, since it decides what is seen. Pure."""

from __future__ import annotations

import re
import struct

_ORIENTATION = 0x0112
_MAX_ENTRIES = 1024
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def orientation(exif: bytes | None, xmp: bytes | None) -> bytes:
    """One byte, EXIF's 1 to 8: of EXIF where it says one, else of XMP, as Pillow has it; 1 where neither is sound."""
    value = _of_exif(exif) if exif else None
    if value is None and xmp and (found := _XMP.search(xmp)):
        value = int(found[1])
    return bytes([value if value is not None and 1 <= value <= 8 else 1])


def _of_exif(exif: bytes) -> int | None:
    """The tag of the first directory; `exif` is a TIFF file, perhaps after "Exif" and two zeros."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        for number in range(min(count, _MAX_ENTRIES)):
            tag, kind, _, short, _ = struct.unpack_from(f"{order}HHIHH", exif, at + 2 + 12 * number)
            if tag == _ORIENTATION:
                return int(short if kind == 3 else struct.unpack_from(f"{order}I", exif, at + 10 + 12 * number)[0])
    except struct.error:
        return None
    return None
