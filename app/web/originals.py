"""The file of a photo, held open: which may leave the library, and as what. It decodes nothing.

A path may come to mean another file at any time, so that a file is opened first and judged then, and what was judged is
what is read. Inside the root it is served as it is now. Through a link, which may lead anywhere, only what was indexed
as a picture and still is that picture.
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.names import shown_path
from indexer.catalog.catalog import Catalog
from indexer.catalog.records import PhotoRecord
from indexer.errors import ImageError
from indexer.pictures import images
from indexer.pictures.open_file import OpenFile, open_file, open_within

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
_REMEMBERED = 1024  # files behind links whose hash is known: a video is asked for in many pieces


class PictureGoneError(Exception):
    """The photo's file is no longer there, or no longer the one that was indexed; the message says which."""


@dataclass(frozen=True)
class Original:
    """A photo's file, as it may be served while it is open."""

    file: OpenFile
    media_type: str
    inline: bool


@contextmanager
def opened(photo: PhotoRecord, catalog: Catalog) -> Iterator[Original]:
    """The photo's file, open for as long as the block runs.

    Raises:
        PictureGoneError: it is gone, outside of its root, or behind a link and not what was indexed.
    """
    file = _open(photo, catalog)
    try:
        media_type = SHOWN_INLINE.get(photo.format or "") if photo.content_hash is not None else None
        yield Original(file, media_type or "application/octet-stream", inline=media_type is not None)
    finally:
        file.close()


def changed(photo: PhotoRecord) -> PictureGoneError:
    """What is raised of a file that is another one by now."""
    return PictureGoneError(f"{shown_path(photo.path)} has changed since it was indexed. Run: picsift index")


def _open(photo: PhotoRecord, catalog: Catalog) -> OpenFile:
    root, path = _root(photo, catalog), Path(os.path.normpath(photo.path))
    if not path.is_relative_to(root) or path == root:
        raise PictureGoneError(f"{shown_path(photo.path)} lies outside the library's folders.")
    try:
        file = open_within(root, path.relative_to(root))
        if file is not None:
            return file
        file = open_file(path)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links
        raise _gone(photo) from None
    try:
        if photo.content_hash is None or _content_of(file, photo.content_hash) != photo.content_hash:
            raise changed(photo)
    except ImageError:
        file.close()
        raise _gone(photo) from None
    except BaseException:
        file.close()
        raise
    return file


@functools.lru_cache(_REMEMBERED)
def _content_of(file: OpenFile, like: str) -> str:
    return images.hash_file(file.held, like=[like])


def _root(photo: PhotoRecord, catalog: Catalog) -> Path:
    for root in catalog.roots():
        if root.id == photo.root_id:
            return root.path
    raise _gone(photo)


def _gone(photo: PhotoRecord) -> PictureGoneError:
    return PictureGoneError(
        f"{shown_path(photo.path)} cannot be read. If its drive is unplugged, plug it in; "
        "if the file was moved or deleted, run: picsift index"
    )
