"""Whether a JPEG is made of more parts than any picture needs, so that its decoders are busy for minutes. Pure.

They walk over the whole picture for each scan; what stands before the first one, Pillow goes through piece by piece.
"""

from indexer.pictures.content.chunks import MARKER, MOST_PARTS

MOST_SCANS = 100
"""As libtiff has it for JPEGs within a TIFF; cameras and programs write 1 to 20."""
_REASON = "a JPEG of more than {}, as no camera writes it, takes too long to decode; save it anew"
MOST_EXIF = 256
"""Of segments; Pillow copies all that it has for each more."""
_EXIF = b"Exif\0\0"
_SOS, _EOI = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset((*range(0x01, 0xC0), 0xD8))
_TAKES_NO_LENGTH = _WITHOUT_LENGTH | {0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}  # to Pillow
MOST_FILLING = 1 << 22
"""Bytes between segments that are none; Pillow takes a second for them."""


def too_many_parts(jpeg: bytes) -> str | None:
    """Why a JPEG takes too long to decode; None where it does not."""
    if has_too_many_segments(jpeg):
        return _REASON.format(f"{MOST_PARTS:,} segments, {MOST_EXIF} of EXIF, or 4 MB between them")
    return _REASON.format(f"{MOST_SCANS} scans") if has_too_many_scans(jpeg) else None


def has_too_many_segments(jpeg: bytes) -> bool:
    """Whether Pillow would meet too many before the first scan, or too much that is none."""
    at, end, exif, segments = 2, len(jpeg) - 1, 0, 0
    filling = 0
    while segments < MOST_PARTS and filling < MOST_FILLING:
        if at >= end or (jpeg[at] == 0xFF and jpeg[at + 1] == _SOS):
            return False
        if jpeg[at] != 0xFF or jpeg[at + 1] in (0, 0xFF):
            at += 1
            filling += 1
            continue
        segments += 1
        if jpeg[at + 1] in _TAKES_NO_LENGTH:
            at += 2
        else:
            exif += jpeg.startswith(_EXIF, at + 4)
            if exif > MOST_EXIF:
                return True
            at += 2 + max(2, int.from_bytes(jpeg[at + 2 : at + 4], "big"))
    return True


def has_too_many_scans(jpeg: bytes) -> bool:
    """Whether a decoder would meet more than MOST_SCANS on its way through the file."""
    return jpeg.count(b"\xff\xda") > MOST_SCANS and _meets_too_many(jpeg)  # a video behind it may hold such bytes


def _meets_too_many(jpeg: bytes) -> bool:
    """The same, segment by segment: a marker is taken wherever one stands, as decoders do, until the picture ends."""
    scans, at = 0, 2
    while scans <= MOST_SCANS:
        found = MARKER.search(jpeg, at)
        if found is None:
            return False
        kind, at = jpeg[found.end() - 1], found.end()
        if kind == _EOI:
            return False
        scans += kind == _SOS
        if kind not in _WITHOUT_LENGTH:
            at += max(2, int.from_bytes(jpeg[at : at + 2], "big"))
    return True
