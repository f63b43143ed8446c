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
from indexer.frame_ids import frame_id
from indexer.images import DEFAULT_MAX_PIXELS, decode, hash_file, load
from indexer.records import PhotoRecord
from indexer.thumbnails import ThumbnailStore
from indexer.videos import frame_at

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
    "MP4": "video/mp4",
    "MOV": "video/mp4",  # under its own name browsers do not play what they could
    "MKV": "video/webm",
    "OGG": "video/ogg",
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
    photo: PhotoRecord, catalog: Catalog, store: ThumbnailStore, max_pixels: int = DEFAULT_MAX_PIXELS, frame: int = 0
) -> bytes:
    """The stored thumbnail (WebP) of a photo or of a video's frame, made again from the original where it is missing.

    Raises:
        PictureGoneError: there is neither a thumbnail nor an original.
        ImageError: the original cannot be decoded.
    """
    if photo.content_hash is None:
        raise ImageError(photo.reason or NO_REASON)
    path = store.path(photo.content_hash, frame)
    if not path.is_file() or not path.stat().st_size:
        image = _frame(photo, catalog, frame, store.side, max_pixels, like=photo.content_hash)
        path = store.keep(photo.content_hash, store.make(image), frame)
    return path.read_bytes()


def preview(photo: PhotoRecord, catalog: Catalog, max_pixels: int = DEFAULT_MAX_PIXELS, frame: int = 0) -> bytes:
    """The photo, or a frame, upright, as WebP with at most PREVIEW_SIDE pixels on its longer side, from the original.

    Raises:
        PictureGoneError: the original is gone.
        ImageError: it cannot be decoded.
    """
    short, long = sorted((photo.width or 1, photo.height or 1))
    image = _frame(photo, catalog, frame, max(1, PREVIEW_SIDE * short // long), max_pixels)
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


def _frame(
    photo: PhotoRecord, catalog: Catalog, frame: int, min_side: int, max_pixels: int, like: str | None = None
) -> Image.Image:
    """The picture of a photo's file, or of a frame of it; `like` is the hash that the file then has to have."""
    path = original(photo, catalog).path
    with _decoding:
        if photo.duration_s is not None or frame:  # a photo has no frames, and that is said
            if like is not None and hash_file(path, like=[like]) != like:
                raise PictureGoneError(_changed(photo))
            return frame_at(path, _moment(photo, catalog, frame), min_side=min_side, max_pixels=max_pixels)
        loaded = load(path, min_side=min_side, max_pixels=max_pixels, like=[photo.content_hash or ""])
    if like is not None and loaded.content_hash != like:
        raise PictureGoneError(_changed(photo))
    return loaded.decoded.image


def _moment(photo: PhotoRecord, catalog: Catalog, frame: int) -> float:
    """When a frame is shown."""
    if not frame:
        return photo.poster_s or 0.0
    model = catalog.active_model()
    index_id = frame_id(photo.id, frame)
    known = catalog.moments(model.id, [index_id]) if model else {}
    if index_id not in known:
        raise PictureGoneError(f"{shown_path(photo.path)} has no frame {frame} any more. Search again.")
    return known[index_id]


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
