"""The size that an animated format's header claims, read here since its decoder makes room for it while it opens. Pure.

Of a still PNG, GIF or WebP it is read too: whether it moves is known behind it.
"""

import struct

_WEBP_STARTS = {b"VP8X": 24, b"VP8L": 21, b"VP8 ": 26}  # where the size stands


def claimed_size(name: str, source: bytes) -> tuple[int, int] | None:
    """Width and height; None of another format, and where the header is not built as it should be."""
    try:
        if name == "GIF":
            return struct.unpack_from("<HH", source, 6)
        if name == "PNG" and source[12:16] == b"IHDR":
            return struct.unpack_from(">II", source, 16)
        if name == "WEBP" and (start := _WEBP_STARTS.get(source[12:16])):
            return _webp_size(source[12:16], source[start : start + 6])
    except struct.error:  # it ends before
        pass
    return None


def _webp_size(kind: bytes, field: bytes) -> tuple[int, int]:
    if kind == b"VP8X":
        return int.from_bytes(field[:3], "little") + 1, int.from_bytes(field[3:], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(field[:4], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", field)
    return width & 0x3FFF, height & 0x3FFF
