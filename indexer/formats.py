"""The picture formats picsift reads: known by their first bytes, opened by one Pillow class each.

Opening parses a header and decodes no pixels. Pillow's registry and its process-wide size limit stay untouched.
A decoder is imported when the first picture needs it. What a decoder has to say is raised, never warned about.
"""

import importlib
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, cast

from PIL import Image, features

from . import jpegxl
from .errors import ImageError, TooLargeError

# Pillow's name: its module and class (JPEG: the base class, so that an MPO is the JPEG it starts with), the suffixes.
_FORMATS = {
    "JPEG": ("PIL.JpegImagePlugin:JpegImageFile", "jpg jpeg jpe jfif mpo"),
    "PNG": ("PIL.PngImagePlugin:PngImageFile", "png apng"),
    "WEBP": ("PIL.WebPImagePlugin:WebPImageFile", "webp"),
    "GIF": ("PIL.GifImagePlugin:GifImageFile", "gif"),
    "BMP": ("PIL.BmpImagePlugin:BmpImageFile", "bmp dib"),
    "TIFF": ("PIL.TiffImagePlugin:TiffImageFile", "tif tiff"),
    "AVIF": ("PIL.AvifImagePlugin:AvifImageFile", "avif avifs"),
    "HEIF": ("pi_heif:HeifImageFile", "heic heif hif heics heifs"),
    "JXL": ("pillow_jxl:Decoder", "jxl"),
    "JPEG2000": ("PIL.Jpeg2KImagePlugin:Jpeg2KImageFile", "jp2 j2k j2c jpc jpf jpx"),
    "PPM": ("PIL.PpmImagePlugin:PpmImageFile", "pnm pbm pgm ppm pfm"),
}
SUFFIXES: frozenset[str] = frozenset(f".{name}" for _, names in _FORMATS.values() for name in names.split())

_PACKAGES = {"pi_heif": "pi-heif", "pillow_jxl": "pillow-jxl-plugin", "PIL": "pillow"}
_PILLOW_FEATURES = {"JPEG": "jpg", "WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\xff\x0a", "JXL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"))
_ZERO_TAIL = 1024  # bytes; no sound compressed picture ends in so many zeros


# Pillow warns about damaged metadata, once a file, on standard error. Filters belong to the process and are not safe to
# change for a moment among threads, so that this one, added whenever it is not there, stays.
_QUIET_MODULES = re.compile(r"PIL\.\w+Plugin")
_QUIET = ("ignore", None, UserWarning, _QUIET_MODULES, 0)


def sniff(source: bytes) -> str | None:
    """Pillow's name of the format these bytes start with, None where picsift reads no such format."""
    for signature, name in _SIGNATURES:
        if source.startswith(signature):
            return name
    if source[:4] == b"RIFF" and source[8:12] == b"WEBP":
        return "WEBP"
    if source[4:8] == b"ftyp":
        return _iso_format(source)
    if source[:1] == b"P" and source[1:2] in b"123456f" and source[2:3].isspace():
        return "PPM"
    return None


def open_picture(source: bytes, *, max_pixels: int) -> tuple[str, Image.Image]:
    """Parse the header, and hold the picture against the bound before any of its pixels are decoded.

    Returns:
        The format, and the picture: lazy, except for JPEG XL.

    Raises:
        ImageError: no format picsift knows, a missing decoder, too many pixels, or a file that is visibly truncated.
        Exception: whatever the decoder raises on a damaged file.
    """
    if _QUIET not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=_QUIET_MODULES.pattern)
    name = sniff(source)
    if name is None:
        raise ImageError(_what_else(source))
    decoder = _decoder(name)
    if name == "JXL":
        _check_size(*jpegxl.read_header(source)[:2], max_pixels)
    if name == "JXL":
        _refuse_cut(name, source)
        return name, jpegxl.read_pixels(source, decoder, lambda jpeg: _parse("JPEG", jpeg))
    try:
        image = _parse(name, source)
    except Exception:
        _refuse_cut(name, source)  # says more than the decoder does
        raise
    _check_size(*image.size, max_pixels)
    _refuse_cut(name, source)
    if name == "TIFF" and Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        # TiffImageFile alone asks Pillow's own limit again, unless its memory is there already.
        image.im = Image.core.new(image.mode, getattr(image, "_tile_size"))  # type: ignore[attr-defined]  # noqa: B009
    return name, image


def check_formats() -> dict[str, str | None]:
    """Every format with None, or with the reason why this machine cannot read it."""
    return {name: _problem(name) for name in _FORMATS}


def truncated(name: str) -> str:
    """The reason kept with a photo whose file ends too early, or goes on in zeros."""
    return f"truncated or overwritten: the {name} file ends before its picture does"


def _parse(name: str, source: bytes) -> Image.Image:
    return cast(Image.Image, _decoder(name)(BytesIO(source)))


def _decoder(name: str) -> Callable[..., Any]:
    module, _, attribute = _FORMATS[name][0].partition(":")
    if (feature := _PILLOW_FEATURES.get(name)) and not features.check(feature):
        raise ImageError(f"{name} pictures need a Pillow that was built with {name}: pip install --upgrade pillow")
    try:
        return cast(Callable[..., Any], getattr(importlib.import_module(module), attribute))
    except ImportError as error:
        package = _PACKAGES[module.partition(".")[0]]
        raise ImageError(f"{name} pictures need the package {package}: pip install {package} ({error})") from error


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooLargeError(
            f"{width} x {height} pixels ({width * height / 1e6:,.0f} million) are more than the bound of "
            f"{max_pixels / 1e6:,.6g} million; raise the setting max_pixels to read it"
        )


def _problem(name: str) -> str | None:
    try:
        _decoder(name)
    except ImageError as error:
        return str(error)
    return None


def _iso_format(source: bytes) -> str | None:
    """AVIF and HEIF share their container and even brands; AVIF is the one that says so."""
    end = min(max(int.from_bytes(source[:4], "big"), 16), 256)
    brands = {source[at : at + 4] for at in range(8, end, 4)}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None


def _what_else(source: bytes) -> str:
    head = source[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not source:
        return "the file is empty"
    if not source.strip(b"\0"):
        return "the file holds nothing but zeros: an interrupted copy or download"
    if head.startswith((b"<!doctype html", b"<html")):
        return "this is a web page (HTML), not a picture"
    if head and all(byte >= 32 or byte in b"\t\r\n\f" for byte in head):
        return "this is text, not a picture"
    return f"not a picture in a format picsift reads (it starts with the bytes {source[:8].hex(' ')})"


def _refuse_cut(name: str, source: bytes) -> None:
    if _is_cut_short(name, source):
        raise ImageError(truncated(name))


def _is_cut_short(name: str, source: bytes) -> bool:
    """Whether a file ends too early in a way that its decoder lets pass, greying the rest of the picture."""
    if name == "JPEG":
        return source.endswith(bytes(16)) and source.find(b"\xff\xd9", _jpeg_scan_start(source)) < 0
    if name == "PNG":
        return _is_png_damaged(source)
    if name == "WEBP":
        # A flat picture may end in zeros by a twentieth of its size.
        zeros = source.endswith(bytes(max(_ZERO_TAIL, len(source) // 10)))
        return zeros or int.from_bytes(source[4:8], "little") + 8 > len(source) + 1
    if name in ("HEIF", "AVIF") or (name == "JXL" and source[:1] == b"\0"):
        boxes = list(_boxes(source))
        zeros = bool(boxes) and boxes[-1][0] == b"mdat" and source.endswith(bytes(_ZERO_TAIL))
        return zeros or any(end > len(source) for _, end in boxes)
    return False


def _jpeg_scan_start(source: bytes) -> int:
    """Where the compressed pixels start, past thumbnails in the metadata that hold markers of their own."""
    at = 2
    while at + 4 <= len(source) and source[at] == 0xFF and source[at + 1] != 0xDA:
        at += 1 if source[at + 1] == 0xFF else 2 + int.from_bytes(source[at + 2 : at + 4], "big")
    return at


def _is_png_damaged(source: bytes) -> bool:
    """Whether pixels are missing or fail their checksum, which Pillow does not look at."""
    at = 8
    while at + 12 <= len(source):
        size, kind = struct.unpack_from(">I4s", source, at)
        end = at + 12 + size
        if kind == b"IEND":
            return False
        if kind == b"IDAT" and (end > len(source) or zlib.crc32(source[at + 4 : end - 4]) != _u32(source, end - 4)):
            return True
        at = end
    return True


def _u32(source: bytes, at: int) -> int:
    return int.from_bytes(source[at : at + 4], "big")


def _boxes(source: bytes) -> Iterator[tuple[bytes, int]]:
    """The outermost boxes of an ISO base media file: type, and where the box says it ends."""
    at = 0
    while at + 8 <= len(source):
        size, kind = struct.unpack_from(">I4s", source, at)
        header = 8
        if size == 1 and at + 16 <= len(source):
            size, header = int.from_bytes(source[at + 8 : at + 16], "big"), 16
        end = len(source) if size == 0 else at + size
        yield kind, end
        if end < at + header:
            return
        at = end
