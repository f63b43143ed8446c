"""The pictures of one photo for a browser: thumbnail, upright preview, and the original as it is.

It opens only files of photo rows that lie in the library's folders, and writes nothing but thumbnails.
"""

import io
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from indexer.catalog import Catalog
from indexer.errors import ImageError
from indexer.images import DEFAULT_MAX_PIXELS, LoadedPhoto, decode, load
from indexer.records import PhotoRecord
from indexer.thumbnails import ThumbnailStore

PREVIEW_SIDE = 1600  # pixels on the longer side
PREVIEW_QUALITY = 85
SMALL_SIDE = 96  # pixels
NO_REASON = "it could not be read"

# What browsers show without running anything in it; every other format is offered as a download.
SHOWN_INLINE = {
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
}


_decoding = threading.BoundedSemaphore(2)  # a picture at the pixel bound takes most of a gigabyte


class PictureGoneError(Exception):
    """The photo's file is no longer there, or no longer the one that was indexed; the message says which."""


@dataclass(frozen=True)
class Original:
    """A photo's file, as it may be served."""

    path: Path
    media_type: str
    inline: bool


def thumbnail(
    photo: PhotoRecord, catalog: Catalog, store: ThumbnailStore, max_pixels: int = DEFAULT_MAX_PIXELS
) -> bytes:
    """The stored thumbnail (WebP), made again from the original where it is missing.

    Raises:
        PictureGoneError: there is neither a thumbnail nor an original.
        ImageError: the original cannot be decoded.
    """
    if photo.content_hash is None:
        raise ImageError(photo.reason or NO_REASON)
    path = store.path(photo.content_hash)
    if not path.is_file() or not path.stat().st_size:
        loaded = _load(photo, catalog, store.side, max_pixels)
        if loaded.content_hash != photo.content_hash:
            raise PictureGoneError(_changed(photo))
        path = store.write(photo.content_hash, loaded.decoded.image)
    return path.read_bytes()


def preview(photo: PhotoRecord, catalog: Catalog, max_pixels: int = DEFAULT_MAX_PIXELS) -> bytes:
    """The photo upright, as WebP with at most PREVIEW_SIDE pixels on its longer side, made from the original.

    Raises:
        PictureGoneError: the original is gone.
        ImageError: it cannot be decoded.
    """
    short, long = sorted((photo.width or 1, photo.height or 1))
    image = _load(photo, catalog, max(1, PREVIEW_SIDE * short // long), max_pixels).decoded.image
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    return _webp(image)


def original(photo: PhotoRecord, catalog: Catalog) -> Original:
    """The photo's file, if it still lies in its root.

    A link inside a root may lead out of it, since the scanner follows links; the file at its end is served only
    while it is the one that was indexed.

    Raises:
        PictureGoneError: it is gone, outside, or another file.
    """
    path = _path_within_root(photo, catalog)
    try:
        target = path.resolve(strict=True)
        seen = target.stat()
    except (OSError, RuntimeError):  # RuntimeError: a loop of links
        raise PictureGoneError(_gone(photo)) from None
    same = (seen.st_size, seen.st_mtime_ns) == (photo.size, photo.mtime_ns)
    if not target.is_file() or not (same or target.is_relative_to(_root(photo, catalog).resolve())):
        raise PictureGoneError(_changed(photo))
    media_type = SHOWN_INLINE.get(photo.format or "")
    return Original(target, media_type or "application/octet-stream", inline=media_type is not None)


def small_picture(source: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> bytes:
    """A small WebP of a picture that is no photo of the library.

    Raises:
        ImageError: it is no picture that can be read.
    """
    with _decoding:
        image = decode(source, min_side=SMALL_SIDE, max_pixels=max_pixels).image
    image.thumbnail((2 * SMALL_SIDE, 2 * SMALL_SIDE))
    return _webp(image)


def shown_path(path: Path) -> str:
    """The path as text that is valid Unicode: bytes of a name that are none become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def safe_filename(path: Path) -> str:
    """The file's name for a header: no quotes, separators or control characters."""
    return re.sub(r'[\x00-\x1f\x7f"\\/;]+', "_", shown_path(path).rpartition("/")[2])


def _load(photo: PhotoRecord, catalog: Catalog, min_side: int, max_pixels: int) -> LoadedPhoto:
    path = original(photo, catalog).path
    with _decoding:
        return load(path, min_side=min_side, max_pixels=max_pixels, like=[photo.content_hash or ""])


def _webp(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "WEBP", quality=PREVIEW_QUALITY, method=2)
    return target.getvalue()


def _root(photo: PhotoRecord, catalog: Catalog) -> Path:
    for root in catalog.roots():
        if root.id == photo.root_id:
            return root.path
    raise PictureGoneError(_gone(photo))


def _path_within_root(photo: PhotoRecord, catalog: Catalog) -> Path:
    path = Path(os.path.normpath(photo.path))
    if not path.is_relative_to(_root(photo, catalog)):
        raise PictureGoneError(f"{shown_path(photo.path)} lies outside the library's folders.")
    return path


def _gone(photo: PhotoRecord) -> str:
    return (
        f"{shown_path(photo.path)} cannot be read. If its drive is unplugged, plug it in; "
        "if the file was moved or deleted, run: picsift index"
    )


def _changed(photo: PhotoRecord) -> str:
    return f"{shown_path(photo.path)} has changed since it was indexed. Run: picsift index"
