"""Real DNG files, written byte by byte: a Bayer mosaic of a drawn picture, with or without an embedded JPEG preview."""

import io
import struct

import numpy as np
from PIL import Image

SHORT, LONG, RATIONAL, SRATIONAL, ASCII, BYTE = 3, 4, 5, 10, 2, 1
_SIZES = {SHORT: "H", LONG: "I", BYTE: "B"}
# XYZ (D65) to linear sRGB: the camera's colours are sRGB's.
_MATRIX = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
_DATE = "2021:07:04 10:11:12"


def _packed(kind, values, order):
    if kind == ASCII:
        return values.encode() + b"\0"
    if kind in (RATIONAL, SRATIONAL):
        letter = "I" if kind == RATIONAL else "i"
        return b"".join(struct.pack(f"{order}2{letter}", round(value * 10_000), 10_000) for value in values)
    return struct.pack(f"{order}{len(values)}{_SIZES[kind]}", *values)


def _directory(fields, at, order, following=0):
    """The bytes of a directory that will stand at an offset, with the values that do not fit into it behind it."""
    fields = sorted(fields)
    spill_at = at + 2 + 12 * len(fields) + 4
    entries, spilled = b"", b""
    for tag, kind, values in fields:
        data = _packed(kind, values, order)
        count = {ASCII: len(data), RATIONAL: len(data) // 8, SRATIONAL: len(data) // 8}.get(kind, len(values))
        if len(data) > 4:
            place = struct.pack(f"{order}I", spill_at + len(spilled))
            spilled += data + b"\0" * (len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, kind, count) + place
    return struct.pack(f"{order}H", len(fields)) + entries + struct.pack(f"{order}I", following) + spilled


def mosaic(image):
    """A picture as an RGGB sensor sees it: 16-bit linear samples, with a black level of 256."""
    linear = (np.asarray(image.convert("RGB"), dtype=np.float64) / 255) ** 2.2
    rows, columns = np.mgrid[: image.height, : image.width]
    channel = rows % 2 + columns % 2
    return (np.take_along_axis(linear, channel[..., None], axis=2)[..., 0] * 16_000 + 256).astype(np.uint16)


def dng(image, *, preview=None, orientation=1, order="<", named=True, dng_version=True, magic=None):
    """A DNG of a picture, which stands as the sensor saw it: before its orientation is applied.

    Args:
        image: with even sides.
        preview: the bytes of a JPEG to embed.
        orientation: as in EXIF.
        order: "<" or ">".
        named: whether it says which camera made it, and when.
        dng_version: False makes it a RAW of the kind that cameras wrote before DNG: known by its mosaic alone.
        magic: other first four bytes.
    """
    samples = mosaic(image).astype(f"{order}u2").tobytes()
    raw = [
        (256, LONG, [image.width]), (257, LONG, [image.height]), (258, SHORT, [16]), (259, SHORT, [1]),
        (262, SHORT, [32803]), (277, SHORT, [1]), (278, LONG, [image.height]), (279, LONG, [len(samples)]),
        (33421, SHORT, [2, 2]), (33422, BYTE, [0, 1, 1, 2]), (50714, LONG, [256]), (50717, LONG, [16_256]),
    ]  # fmt: skip
    common = [(274, SHORT, [orientation]), (50721, SRATIONAL, _MATRIX), (50728, RATIONAL, [1, 1, 1]),
              (50778, SHORT, [21])]  # fmt: skip
    if dng_version:
        common += [(50706, BYTE, [1, 4, 0, 0]), (50708, ASCII, "Acme One")]
    if named:
        common += [(271, ASCII, "Acme"), (272, ASCII, "Acme One"), (306, ASCII, _DATE), (34665, LONG, [0])]
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8)
    body, offsets = b"", {}
    for name, data in (("preview", preview or b""), ("raw", samples)):
        offsets[name] = 8192 + len(body)
        body += data + b"\0" * (len(data) % 2)
    exif = _directory([(36867, ASCII, _DATE), (36881, ASCII, "+02:00"), (42036, ASCII, "Acme 35mm")], 4096, order)
    raw = [*raw, (273, LONG, [offsets["raw"]])]
    common = [(tag, kind, [4096] if tag == 34665 else values) for tag, kind, values in common]
    if preview:
        width, height = Image.open(io.BytesIO(preview)).size
        shown = [(254, LONG, [1]), (256, LONG, [width]), (257, LONG, [height]), (259, SHORT, [7]), (262, SHORT, [6]),
                 (258, SHORT, [8, 8, 8]), (277, SHORT, [3]), (278, LONG, [height]),
                 (273, LONG, [offsets["preview"]]), (279, LONG, [len(preview)]), (330, LONG, [2048])]  # fmt: skip
        first = _directory([*shown, *common], 8, order)
        second = _directory([(254, LONG, [0]), *raw], 2048, order)
    else:
        first, second = _directory([(254, LONG, [0]), *raw, *common], 8, order), b""
    made = (head + first).ljust(2048, b"\0") + second
    return (magic or made[:4]) + made[4:].ljust(4092, b"\0") + exif.ljust(4096, b"\0") + body
