"""The picture formats picsift reads: known by their first bytes, opened by one Pillow class each.

Opening parses a header and decodes no pixels. Pillow's registry and its process-wide size limit stay untouched.
A decoder is imported when the first picture needs it. What a decoder has to say is raised, never warned about.
"""

import importlib
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, cast

from PIL import Image, features

from indexer.errors import ImageError, TooLargeError
from indexer.pictures import jpegxl, raw, raw_header, truncation
from indexer.pictures.content import anymap, boxes, png_texts, scans
from indexer.pictures.content.canvas import claimed_size
from indexer.pictures.content.no_picture import what_else
from indexer.pictures.content.packets import packet_in
from indexer.pictures.content.room import require_room

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
    "TGA": ("PIL.TgaImagePlugin:TgaImageFile", "tga"),
    "PSD": ("PIL.PsdImagePlugin:PsdImageFile", "psd"),
    "QOI": ("PIL.QoiImagePlugin:QoiImageFile", "qoi"),
    "PCX": ("PIL.PcxImagePlugin:PcxImageFile", "pcx"),
    "SGI": ("PIL.SgiImagePlugin:SgiImageFile", "sgi rgb bw"),
    "PCD": ("PIL.PcdImagePlugin:PcdImageFile", "pcd"),
}
_VIDEOS = "mp4 m4v mov avi mkv webm mpg mpeg mts m2ts 3gp 3g2 wmv flv ogv vob"
VIDEO_SUFFIXES = frozenset(f".{name}" for name in _VIDEOS.split())
"""Named like videos, which picsift leaves out, and says so."""
PICTURE_SUFFIXES = frozenset(f".{name}" for _, names in _FORMATS.values() for name in names.split())
SUFFIXES: frozenset[str] = PICTURE_SUFFIXES | raw_header.SUFFIXES

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
    (b"8BPS\0\1", "PSD"),
    (b"qoif", "QOI"),
    (b"\x01\xda\0", "SGI"),
    (b"\x01\xda\1", "SGI"),
    *((bytes((10, version, 1)), "PCX") for version in (0, 2, 3, 5)),
)
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"))

# Pillow warns about damaged metadata, once a file, on standard error. Filters belong to the process and are not safe to
# change for a moment among threads, so that this one, added whenever it is not there, stays.
_QUIET_MODULES = re.compile(r"PIL\.\w+Plugin")
_QUIET = ("ignore", None, UserWarning, _QUIET_MODULES, 0)


def sniff(source: bytes, suffix: str = "") -> str | None:
    """Pillow's name of the format of these bytes, or RAW; None where picsift reads no such format.

    Args:
        source: the whole file.
        suffix: of its name, in lower case; it is asked only where the bytes leave a doubt: RAW or TIFF, an old TGA.
    """
    if raw_header.is_raw(source, suffix):
        return "RAW"
    for signature, name in _SIGNATURES:
        if source.startswith(signature):
            return name
    if source[:4] == b"RIFF" and source[8:12] == b"WEBP":
        return "WEBP"
    if source[4:8] == b"ftyp":
        return _iso_format(source)
    if source[:1] == b"P" and source[1:2] in b"123456f" and source[2:3].isspace():
        return "PPM"
    if source.startswith(b"PCD_", 2048):
        return "PCD"
    return "TGA" if source.endswith(_TGA_FOOTER) or (suffix == ".tga" and _is_tga_head(source)) else None


def open_picture(source: bytes, *, max_pixels: int, suffix: str = "") -> tuple[str, Image.Image]:
    """Parse the header of any format but RAW, and hold its size against the bound before any pixels are decoded.

    Returns:
        The format, and the picture: lazy, except for JPEG XL.

    Raises:
        ImageError: no format picsift knows, a missing decoder, too many pixels, or a file that is visibly truncated.
        Exception: whatever the decoder raises on a damaged file.
    """
    if _QUIET not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=_QUIET_MODULES.pattern)
    name = sniff(source, suffix)
    if name == "RAW":
        name = "TIFF"  # under a RAW's name, and no RAW
    if name is None:
        raise ImageError(what_else(source))
    source = truncation.without_trailer(name, source)
    decoder = _decoder(name)
    if claimed := claimed_size(name, source):
        check_size(*claimed, max_pixels)
    if name == "JXL":
        claimed = jpegxl.read_header(source)[:2]
        check_size(*claimed, max_pixels)
        _refuse_cut(name, source)
        with _sincere(name, claimed):
            return name, jpegxl.read_pixels(source, decoder, lambda jpeg: _parse("JPEG", jpeg))
    try:
        image = _parse(name, source)
    except Exception as error:
        _refuse_cut(name, source)  # says more than the decoder does
        if isinstance(error, Image.DecompressionBombError):  # Pillow's own bound, which holds for animations alone
            raise ImageError(f"a {name} animation of so many pixels is not read; save one picture of it") from None
        if claimed:
            require_room(name, *claimed)
        if name == "HEIF" and b"meta" not in (kind for kind, _ in truncation.boxes(source)):
            raise ImageError(
                "a HEIF sequence without a still picture: that is a video, and videos are left out"
            ) from None
        raise
    check_size(*image.size, max_pixels)
    _refuse_cut(name, source)
    if name == "TIFF" and (reason := _unread_tiff(image)):
        raise ImageError(reason)
    if name == "TIFF" and Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        # TiffImageFile alone asks Pillow's own limit again, unless its memory is there already.
        image.im = Image.core.new(image.mode, getattr(image, "_tile_size"))  # type: ignore[attr-defined]  # noqa: B009
    return name, image


def load(name: str, image: Image.Image, size: tuple[int, int]) -> None:
    """Decode the pixels of an open picture of that full size; raises whatever the decoder does, or a MemoryError."""
    with _sincere(name, size):
        image.load()


@contextmanager
def _sincere(name: str, size: tuple[int, int]) -> Iterator[None]:
    """Have a decoder that gives up say that it has no memory, where it has none."""
    try:
        yield
    except Exception:
        require_room(name, *size)
        raise


def check_formats() -> dict[str, str | None]:
    """Every format with None, or with the reason why this machine cannot read it."""
    return {name: _problem(name) for name in (*_FORMATS, "RAW")}


def _parse(name: str, source: bytes) -> Image.Image:
    if name == "JPEG" and (reason := scans.too_many_parts(source)):
        raise ImageError(reason)
    if name == "HEIF" and (reason := boxes.too_many_pieces(source)):
        raise ImageError(reason)
    source = anymap.in_bytes(source) if name == "PPM" else source
    source, large = png_texts.lightened(source) if name == "PNG" else (source, {})
    image = cast(Image.Image, _decoder(name)(BytesIO(source)))
    image.info.update(large)
    if name in ("GIF", "JPEG2000", "PSD"):
        image.info["xmp"] = packet_in(name, source, getattr(image, "resources", ()))
    return image


def _decoder(name: str) -> Callable[..., Any]:
    module, _, attribute = _FORMATS[name][0].partition(":")
    if (feature := _PILLOW_FEATURES.get(name)) and not features.check(feature):
        raise ImageError(f"{name} pictures need a Pillow that was built with {name}: pip install --upgrade pillow")
    try:
        return cast(Callable[..., Any], getattr(importlib.import_module(module), attribute))
    except ImportError as error:
        package = _PACKAGES[module.partition(".")[0]]
        raise ImageError(f"{name} pictures need the package {package}: pip install {package} ({error})") from error


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise a TooLargeError that names the size and the bound."""
    if width * height > max_pixels:
        raise TooLargeError(
            f"{width} x {height} pixels ({width * height / 1e6:,.0f} million) are more than the bound of "
            f"{max_pixels / 1e6:,.6g} million; raise the setting max_pixels to read it"
        )


def _problem(name: str) -> str | None:
    try:
        raw.check_decoder() if name == "RAW" else _decoder(name)
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


def _unread_tiff(image: Image.Image) -> str | None:
    """Why a TIFF would be read in wrong colours: Pillow mixes up deep channels that stand one after the other."""
    tags = getattr(image, "tag_v2", {})
    deep, channels, apart = max(tags.get(258, (8,))) > 8, tags.get(277, 1), tags.get(284, 1) == 2
    if not (deep and channels > 1 and apart):
        return None
    return "a TIFF with more than 8 bits in separate planes is not read; save it with interleaved channels"


def _is_tga_head(source: bytes) -> bool:
    """Whether this may be a Targa of before 1989, which has no mark of its own."""
    if len(source) < 18:
        return False
    sides = int.from_bytes(source[12:14], "little") * int.from_bytes(source[14:16], "little")
    return source[1] < 2 and source[2] in (1, 2, 3, 9, 10, 11) and source[16] in (8, 15, 16, 24, 32) and sides > 0


def _refuse_cut(name: str, source: bytes) -> None:
    if truncation.is_cut_short(name, source):
        raise ImageError(truncation.reason(name))
