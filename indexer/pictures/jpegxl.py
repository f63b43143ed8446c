"""JPEG XL: the size out of its header, then its pixels.

pillow-jxl-plugin decodes while it opens, so the bound on pixels needs the header read here (ISO/IEC 18181-1,
SizeHeader and ImageMetadata). It knows nothing of animation: the decoder gives the first frame.
"""

import re
import struct
from collections.abc import Callable, Iterable
from typing import Any, cast

from PIL import Image

from indexer.metadata.xmp import MAX_BYTES
from indexer.pictures import truncation

UPRIGHT = "picsift_upright"  # key in Image.info: the decoder turned the picture, the EXIF orientation is spent
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIDE_BITS = (9, 13, 18, 30)
_EXIF = re.compile(rb"II\*\0|MM\0\*")
_HEADER_BYTES = 32  # more than the fields read here can take


def read_header(source: bytes) -> tuple[int, int, int]:
    """Width and height as coded, and the orientation (1 to 8) that the decoder applies by itself.

    Raises:
        ValueError: there is no codestream header.
    """
    bits = _Bits(_codestream(source))
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    width = _side(bits, small) if ratio == 0 else height * _RATIOS[ratio - 1][0] // _RATIOS[ratio - 1][1]
    has_orientation = not bits.take(1) and bits.take(1)
    return width, height, bits.take(3) + 1 if has_orientation else 1


def read_pixels(source: bytes, decoder: Callable[..., Any], open_jpeg: Callable[[bytes], Image.Image]) -> Image.Image:
    """Decode a picture; one that was a JPEG comes back as that JPEG, lazy, so that it can be read at reduced scale.

    Args:
        source: the whole file.
        decoder: `pillow_jxl.Decoder`.
        open_jpeg: parses a JPEG's header.

    Raises:
        ValueError: the decoder gave up.
    """
    orientation = read_header(source)[2]
    try:
        was_jpeg, header, pixels, icc_profile, boxes = _run(decoder, source)
    except ValueError:
        if (bare := _without_packed(source)) == source:
            raise
        was_jpeg, header, pixels, icc_profile, boxes = _run(decoder, bare)
    if was_jpeg:
        return open_jpeg(pixels)
    mode = "F" if header.mode == "F;16" else header.mode
    image = Image.frombytes(mode, (header.width, header.height), pixels)
    image.info["icc_profile"] = icc_profile
    # Four bytes of offset come first (ISO/IEC 18181-2), which some writers leave out: EXIF is told by its own start.
    exif = _EXIF.search(_words(boxes, b"Exif"), 0, 64)
    if exif:
        image.info["exif"] = exif.string[exif.start() :]
    image.info["xmp"] = _words(boxes, b"xml ")
    # Writers that leave the codestream at 1 and name a rotation in EXIF mean it; that is what pillow-jxl itself writes.
    image.info[UPRIGHT] = orientation != 1
    return image


def _run(decoder: Callable[..., Any], source: bytes) -> Any:
    try:
        return decoder(num_threads=0)(source)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic of the Rust plugin is no Exception
        raise ValueError("the decoder gave up: the file is truncated or damaged") from error


def _words(boxes: Iterable[Any], kind: bytes) -> bytes:
    """What is in the first box of a kind, be it packed, as cjxl does by itself; nothing where there is none."""
    for box in boxes:
        if box.box_type == kind:
            return bytes(box.data)
        if box.box_type == b"brob" and box.data[:4] == kind:
            return _unpacked(bytes(box.data[4:]))
    return b""


def _unpacked(packed: bytes) -> bytes:
    """Up to a size, more than which the decoder does not take either."""
    import brotli

    try:
        return cast(bytes, brotli.Decompressor().process(packed, output_buffer_limit=MAX_BYTES))
    except brotli.error:
        return b""


def _without_packed(source: bytes) -> bytes:
    """The file without EXIF and XMP that are packed: where they are damaged, or endless, the decoder gives up."""
    if source[:1] != b"\0":
        return source
    ends = [0, *(end for _, end in truncation.boxes(source))]
    kinds = [kind for kind, _ in truncation.boxes(source)]
    parts = zip(kinds, ends[:-1], ends[1:], strict=True)
    return b"".join(source[start:end] for kind, start, end in parts if kind != b"brob")


def _codestream(source: bytes) -> bytes:
    """The first bytes of the codestream behind its marker, out of the boxes where there are any."""
    if source[:2] == b"\xff\x0a":
        return source[2 : 2 + _HEADER_BYTES]
    found, at = b"", 0
    while at + 8 <= len(source) and len(found) < _HEADER_BYTES:
        size, kind = struct.unpack_from(">I4s", source, at)
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(source[start : start + 8], "big"), start + 8
        end = len(source) if size == 0 else at + size
        if end < start:
            break
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0
            found += source[start : min(end, start + _HEADER_BYTES)]
        at = end
    if found[:2] != b"\xff\x0a":
        raise ValueError("no JPEG XL codestream in it")
    return found[2:]


def _side(bits: "_Bits", small: int) -> int:
    return 8 * (bits.take(5) + 1) if small else bits.take(_SIDE_BITS[bits.take(2)]) + 1


class _Bits:
    """Reads numbers from bytes, least significant bit first."""

    def __init__(self, source: bytes) -> None:
        self._left = int.from_bytes(source, "little")
        self._count = 8 * len(source)

    def take(self, count: int) -> int:
        if count > self._count:
            raise ValueError("the header ends too early")
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        self._count -= count
        return value
