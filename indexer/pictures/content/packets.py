"""XMP packets in formats of which Pillow reads none: GIF, JPEG 2000, Photoshop. Pure."""

from collections.abc import Sequence
from itertools import islice

from indexer.pictures import truncation

_GIF_HEAD, _GIF_TAIL = b"!\xff\x0bXMP DataXMP", b"\x01\xff\xfe"
_JP2_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_PSD_RESOURCE = 1060
_MOST_BOXES = 10_000
_MOST = 32 << 20
"""Bytes of a packet: as many as are read of one."""


def packet_in(name: str, source: bytes, resources: Sequence[tuple[int, bytes, bytes]] = ()) -> bytes | None:
    """The packet in a file of that format, if it has one.

    Args:
        name: of its format.
        source: the whole file.
        resources: of a Photoshop file, as Pillow has them: number, name, content.
    """
    if name == "GIF":
        return _in_gif(source)
    if name == "JPEG2000":
        return _in_boxes(source)
    return next((content for number, _, content in resources if number == _PSD_RESOURCE), None)


def _in_gif(source: bytes) -> bytes | None:
    """It stands there as it is, not in blocks; a tail of 256 bytes leads whoever takes it for blocks to its end."""
    start = source.find(_GIF_HEAD)
    if start < 0:
        return None
    start += len(_GIF_HEAD)
    end = source.find(_GIF_TAIL, start, start + _MOST)
    return source[start:end] if end > 0 else None


def _in_boxes(source: bytes) -> bytes | None:
    at = 0
    for kind, end in islice(truncation.boxes(source), _MOST_BOXES):
        if kind == b"uuid" and source.startswith(_JP2_UUID, at + 8):
            return source[at + 24 : end]
        at = end
    return None
