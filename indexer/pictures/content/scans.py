"""Whether a JPEG consists of more scans than any picture needs: its decoder walks over all of it for each. Pure."""

from indexer.pictures.content.chunks import MARKER

MOST_SCANS = 100
"""As libtiff has it for JPEGs within a TIFF; cameras and programs write 1 to 20."""
REASON = f"a JPEG of more than {MOST_SCANS} scans, as no camera writes it, takes too long to decode; save it anew"
_SOS, _EOI = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset((*range(0x01, 0xC0), 0xD8))


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
