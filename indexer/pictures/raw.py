"""A camera RAW through LibRaw: the preview that the camera embedded, or the sensor's data developed at half their size.

LibRaw opens the header first; nothing is unpacked before the size is known to be within bounds.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from indexer.errors import ImageError
from indexer.metadata.describing import metadata_in, metadata_of
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.pictures import raw_header, truncation
from indexer.pictures.content import scans

if TYPE_CHECKING:
    import numpy as np
    import rawpy
    from numpy.typing import NDArray

_Size = tuple[int, int]

_ORIENTATIONS = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}  # LibRaw's flip to EXIF's number
_SRGB_GAMMA = (2.4, 12.92)


class NotRawError(ImageError):
    """LibRaw does not know this file."""


@dataclass(frozen=True)
class RawPicture:
    """What to show of a RAW.

    Attributes:
        image: a preview, not loaded yet, or the developed picture.
        orientation: by which `image` has to be turned, as in EXIF.
        size: width and height of the full picture, upright.
        metadata: of the RAW.
    """

    image: Image.Image
    orientation: int
    size: _Size
    metadata: PhotoMetadata


def check_decoder() -> None:
    """Raise an ImageError where LibRaw is not to be had."""
    try:
        import rawpy  # noqa: F401
    except ImportError as error:
        raise ImageError(f"camera RAW needs the package rawpy: pip install rawpy ({error})") from error


def read(source: bytes, *, enough: Callable[[_Size], bool], check_size: Callable[[int, int], None]) -> RawPicture:
    """Find the preview, or develop the picture.

    Args:
        source: the whole file.
        enough: whether a preview of this size will do.
        check_size: told the full picture's size before anything is unpacked; raises where it is too large.

    Raises:
        NotRawError: LibRaw does not know it.
        ImageError: it is truncated, damaged, or needs more memory than there is.
    """
    check_decoder()
    import rawpy

    if raw_header.is_cut_short(source):
        raise ImageError(truncation.reason("RAW"))
    try:
        with closing(rawpy.RawPy()) as raw:
            raw.open_buffer(BytesIO(source))
            return _picture(raw, source, enough, check_size)
    except rawpy.LibRawError as error:
        raise _reason(error) from error


def read_metadata(source: bytes) -> PhotoMetadata:
    """What a RAW says of its photo, without any of its pixels; raises as `read` does."""
    check_decoder()
    import rawpy

    try:
        with closing(rawpy.RawPy()) as raw:
            raw.open_buffer(BytesIO(source))
            return replace(_metadata(source, _preview(raw)), orientation=_ORIENTATIONS.get(raw.sizes.flip, 1))
    except rawpy.LibRawError as error:
        raise _reason(error) from error


def _picture(
    raw: "rawpy.RawPy", source: bytes, enough: Callable[[_Size], bool], check_size: Callable[[int, int], None]
) -> RawPicture:
    sizes = raw.sizes
    orientation = _ORIENTATIONS.get(sizes.flip, 1)
    full = _full_size(sizes)
    check_size(*full)
    size = full[::-1] if orientation >= 5 else full
    preview = _preview(raw)
    metadata = replace(_metadata(source, preview), orientation=orientation)
    as_large_as_a_development = preview is not None and 2 * min(preview.size) >= min(full)
    if preview is not None and (as_large_as_a_development or enough(preview.size)):
        return RawPicture(preview, _turn_of_preview(preview.size, size, orientation), size, metadata)
    return RawPicture(_developed(raw), 1, size, metadata)  # LibRaw has turned it


def _full_size(sizes: "rawpy.ImageSizes") -> _Size:
    """What the camera calls the picture's size: without the sensor's rim, where the file says how wide that is."""
    cropped = sizes.crop_width, sizes.crop_height
    whole = sizes.width, sizes.height
    return cropped if all(2 * part >= all_ >= part for part, all_ in zip(cropped, whole, strict=True)) else whole


def _preview(raw: "rawpy.RawPy") -> Image.Image | None:
    """The largest picture that the camera embedded, None where there is none that can be read."""
    import rawpy

    try:
        found = raw.extract_thumb()
    except rawpy.LibRawError:
        return None
    if not isinstance(found.data, bytes):
        return _image(found.data)
    if scans.too_many_parts(found.data):
        return None
    try:
        return JpegImageFile(BytesIO(_without_libraws_exif(found.data)))
    except Exception:  # as every decoder, it raises whatever it likes; the sensor's data are there still
        return None


def _without_libraws_exif(jpeg: bytes) -> bytes:
    """The preview as it stands in the file: LibRaw puts EXIF of its own in front, and invents what it does not know."""
    end = 4 + int.from_bytes(jpeg[4:6], "big")
    is_libraws = jpeg[2:4] == b"\xff\xe1" and b"dcraw v" in jpeg[:end]
    return jpeg[:2] + jpeg[end:] if is_libraws else jpeg


def _turn_of_preview(shown: _Size, upright: _Size, orientation: int) -> int:
    """Previews stand as the sensor did, like the RAW; one that has the upright picture's sides was turned already."""
    lies, stands = shown[0] > shown[1], upright[1] > upright[0]
    return 1 if orientation >= 5 and shown[0] != shown[1] and lies != stands else orientation


def _developed(raw: "rawpy.RawPy") -> Image.Image:
    import rawpy

    pixels = raw.postprocess(
        half_size=True, use_camera_wb=True, output_color=rawpy.ColorSpace.sRGB, output_bps=8, gamma=_SRGB_GAMMA
    )
    return _image(pixels)


def _image(pixels: "NDArray[np.uint8]") -> Image.Image:
    """LibRaw gives (h, w, 3), or (h, w, 1) of a sensor without colours."""
    return Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])


def _metadata(source: bytes, preview: Image.Image | None) -> PhotoMetadata:
    """What the RAW's own header says of the photo, or else what its preview does."""
    try:
        header = raw_header.exif(source)
    except Exception:  # as in exif.py: damage in the metadata costs no photo
        header = None
    found = PhotoMetadata() if header is None else metadata_in(header)
    says_something = found.taken_at is not None or found.camera_model is not None
    return found if says_something or preview is None else metadata_of(preview)


def _reason(error: "rawpy.LibRawError") -> ImageError:
    import rawpy

    said = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else str(error)
    version = ".".join(map(str, rawpy.libraw_version))
    if isinstance(error, rawpy.LibRawFileUnsupportedError):
        return NotRawError(f"a camera RAW that LibRaw {version} does not read; a newer rawpy may: pip install -U rawpy")
    if isinstance(error, rawpy.LibRawIOError):
        return ImageError(truncation.reason("RAW"))
    if isinstance(error, rawpy.LibRawUnsufficientMemoryError | rawpy.LibRawTooBigError):
        return ImageError(f"not enough memory to develop this RAW ({said}); lower max_pixels or the number of workers")
    return ImageError(f"damaged RAW: {said[:200]}")
