"""A photo's file to an upright sRGB picture no larger than its uses need, with its size, format and metadata.

Every failure is an ImageError whose message is kept as the photo's reason; no global state of Pillow is touched, so
any number of threads may decode. It keeps nothing and writes nothing: thumbnails.py and catalog.py do.
"""

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from indexer.errors import ImageError, UnreadableError
from indexer.metadata import describing
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.pictures import colour, formats, frames, jpegxl, raw
from indexer.pictures.content import picture_hash as content
from indexer.pictures.content.complaints import reason_of

DEFAULT_MAX_PIXELS = 250_000_000
DEFAULT_MAX_BYTES = 2 << 30
THUMBNAIL_SIDE = 384  # the long side stays at least this large, for the thumbnail made of the same decode
CHANGED = "the file changed while it was read; it is tried again when it is complete"
MAX_ASPECT = 32  # a longer strip is cut to its middle: scaled by its short side it would fill the memory

_TURNED_BY_DECODER = frozenset(("TIFF", "HEIF"))
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoded:
    """A picture ready to embed and to make a thumbnail of.

    Attributes:
        image: RGB, upright, sRGB, on white; at least twice the asked side where the original has it.
        width: of the full picture, upright, in pixels.
        height: likewise.
        format: Pillow's name, "JPEG", "HEIF", ..., or "RAW" for those of all makers.
        metadata: what is written inside the file.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    metadata: PhotoMetadata


@dataclass(frozen=True)
class LoadedPhoto:
    """A decoded file, with what tells it apart from another: the hash of its picture, what the system said of it."""

    decoded: Decoded
    content_hash: str
    status: os.stat_result


def load(
    path: Path,
    *,
    min_side: int,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int = DEFAULT_MAX_BYTES,
    like: Collection[str] = (),
) -> LoadedPhoto:
    """Read a file once, hash it (`like` is what the catalog has, see picture_hash.py) and decode it.

    Raises:
        ImageError: it cannot be read, changed meanwhile, is larger than max_bytes, or decode() refuses it.
    """
    source, before = _read(path, max_bytes)
    decoded = decode(source, min_side=min_side, max_pixels=max_pixels, suffix=path.suffix.lower())
    return LoadedPhoto(decoded, content.hash_bytes(source, like=like), before)


def hash_file(path: Path, *, like: Collection[str] = (), whole: bool = False) -> str:
    """The content hash of a file; a large one is read in pieces.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        _require_file(path.stat())
        return content.hash_file(path, like=like, whole=whole)
    except (OSError, ValueError, MemoryError) as error:
        raise unreadable(error) from error


def hashes_of(path: Path) -> Iterator[str]:
    """The hashes that the catalog may know a file's content by: today's, then that of the whole file, as all were once.

    Raises:
        ImageError: it cannot be read.
    """
    yield (today := hash_file(path))
    if not content.is_whole(today):
        yield hash_file(path, whole=True)


def decode(source: bytes, *, min_side: int, max_pixels: int = DEFAULT_MAX_PIXELS, suffix: str = "") -> Decoded:
    """Decode a picture of any format in formats.py.

    Args:
        source: the whole file.
        min_side: the short side in pixels that the caller will scale to; the picture keeps twice that.
        max_pixels: a picture with more is refused before its pixels are decoded.
        suffix: of the file's name, in lower case; tells a RAW that looks like any TIFF.

    Raises:
        ImageError: anything that is wrong with it.
    """
    try:
        return _decode(source, min_side, max_pixels, suffix)
    except ImageError:
        raise
    except Exception as error:  # the per-photo boundary: decoders raise whatever they like
        raise ImageError(reason_of(error, formats.sniff(source, suffix) or "picture")) from error


def _decode(source: bytes, min_side: int, max_pixels: int, suffix: str) -> Decoded:
    if formats.sniff(source, suffix) == "RAW":
        try:
            return _decode_raw(source, min_side, max_pixels)
        except raw.NotRawError:
            if formats.sniff(source) == "RAW":
                raise  # else a TIFF with a RAW's name
    name, image = formats.open_picture(source, max_pixels=max_pixels, suffix=suffix)
    size, drafted = image.size, _draft(image, spare_scale(image.size, min_side))
    colour.make_ready(image.mode)
    metadata = describing.metadata_of(image) if name == "TIFF" else None  # TIFF drops its directory while it loads
    formats.load(name, image, size)
    metadata = metadata or describing.metadata_of(image)
    size = size if drafted else image.size
    profile = image.info.get("icc_profile")
    turn = None if name in _TURNED_BY_DECODER or image.info.get(jpegxl.UPRIGHT) else _TURNS.get(metadata.orientation)
    if name == "HEIF":
        metadata = replace(metadata, orientation=image.info.get("original_orientation") or 1)
    image = _finished(frames.first_shown(name, image), profile, turn, min_side)
    if turn is not None:
        size = size[::-1] if metadata.orientation >= 5 else size
    return Decoded(image, size[0], size[1], name, metadata)


def _decode_raw(source: bytes, min_side: int, max_pixels: int) -> Decoded:
    def check_size(width: int, height: int) -> None:
        formats.check_size(width, height, max_pixels)

    def enough(size: tuple[int, int]) -> bool:
        return min(size) >= 2 * min_side and max(size) >= THUMBNAIL_SIDE

    found = raw.read(source, enough=enough, check_size=check_size)
    try:
        _draft(found.image, spare_scale(found.image.size, min_side))
        found.image.load()
    except OSError:  # the preview is damaged; the sensor's data may be sound
        found = raw.read(source, enough=lambda _: False, check_size=check_size)
    image = _finished(found.image, found.image.info.get("icc_profile"), _TURNS.get(found.orientation), min_side)
    return Decoded(image, *found.size, "RAW", found.metadata)


def _finished(image: Image.Image, profile: bytes | None, turn: Image.Transpose | None, min_side: int) -> Image.Image:
    """A loaded picture, no larger than it has to be, as upright sRGB."""
    image = colour.to_base_mode(image, bits=_sample_bits(image))
    if (factor := spare_scale(image.size, min_side)) > 1:
        image = image.reduce(factor)
    image = colour.to_srgb(_within_aspect(image), profile)
    if turn is not None:
        image = image.transpose(turn)
    image.info = {}  # its EXIF block would have the next reader turn it again; a copy forgets what was parsed of it
    return image.copy()


def spare_scale(size: tuple[int, int], min_side: int) -> int:
    """By how much a picture may shrink and still hold twice min_side, and a thumbnail."""
    return max(1, min(min(size) // (2 * max(min_side, 1)), max(size) // THUMBNAIL_SIDE))


def _draft(image: Image.Image, scale: int) -> bool:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8 inside libjpeg: 2 to 3 times faster than in full, 0.4 of 255 off."""
    step = next((step for step in (8, 4, 2) if step <= scale), 1)
    return step > 1 and image.draft(None, (image.width // step, image.height // step)) is not None


def _within_aspect(image: Image.Image) -> Image.Image:
    longest = min(image.size) * MAX_ASPECT
    width, height = min(image.width, longest), min(image.height, longest)
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _sample_bits(image: Image.Image) -> int:
    """12-bit TIFFs come as 16-bit samples of which 12 are used."""
    bits = getattr(image, "tag_v2", {}).get(258, (16,))
    return int(bits[0]) if isinstance(bits, tuple) and 8 < bits[0] <= 16 else 16


def _read(path: Path, max_bytes: int) -> tuple[bytes, os.stat_result]:
    """The bytes of a file that stood still while they were read."""
    try:
        before = path.stat()
        _require_file(before)
        if before.st_size > max_bytes:
            raise ImageError(f"the file is larger ({before.st_size:,} bytes) than the bound of {max_bytes:,}")
        with path.open("rb") as file:
            source = file.read(before.st_size + 1)
        after = path.stat()
    except (OSError, ValueError, MemoryError) as error:
        raise unreadable(error) from error
    if len(source) != before.st_size or stamp(before) != stamp(after):
        raise UnreadableError(CHANGED)
    return source, before


def stamp(found: os.stat_result) -> tuple[int, ...]:
    """What changes where a file becomes another one, or is written to: all that tells, since some can be set back."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _require_file(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ImageError("not a regular file")  # a pipe would wait for ever


def unreadable(error: Exception) -> UnreadableError:
    """What is said of a file that the system does not give."""
    reason = "not enough memory" if isinstance(error, MemoryError) else getattr(error, "strerror", None) or str(error)
    return UnreadableError(f"the file cannot be read: {reason}")
