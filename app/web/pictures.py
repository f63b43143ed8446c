"""The pictures of one photo for a browser: its thumbnail, and an upright preview; made in worker processes.

It reads only files of photo rows that `originals.py` lets out of the library, and writes nothing but thumbnails.
"""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import astuple
from functools import partial
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.names import shown_path
from app.search.picture_decoder import PictureDecoder
from app.search.query import Region
from app.web.originals import Original, PictureGoneError, changed, opened
from indexer.catalog.catalog import Catalog
from indexer.catalog.frame_ids import frame_id
from indexer.catalog.records import PhotoRecord
from indexer.errors import ImageError, LibraryError
from indexer.pictures import rendering
from indexer.pictures.rendering import SCREEN_SIDE, Prepare, cut, for_a_screen
from indexer.pictures.thumbnails import ThumbnailStore

NO_REASON = "it could not be read"

log = logging.getLogger(__name__)


def stored_thumbnail(photo: PhotoRecord, store: ThumbnailStore, frame: int = 0) -> bytes | None:
    """The stored thumbnail (WebP) of a photo or of a video's frame; None where there is none at the moment.

    Raises:
        ImageError: the photo could not be read when it was indexed.
    """
    if photo.content_hash is None:
        raise ImageError(photo.reason or NO_REASON)
    try:
        return store.path(photo.content_hash, frame).read_bytes() or None  # an empty one is what a power cut left
    except OSError:
        return None


def thumbnail(
    photo: PhotoRecord, catalog: Catalog, store: ThumbnailStore, decoder: PictureDecoder, frame: int = 0
) -> bytes:
    """The thumbnail, made again from the original where none is stored; to be shown it need not be storable.

    Raises:
        PictureGoneError: there is neither a thumbnail nor an original.
        ImageError: the original cannot be decoded.
    """
    if stored := stored_thumbnail(photo, store, frame):
        return stored
    content = photo.content_hash or ""
    made, small = _render(photo, catalog, decoder, frame, store.side, store.make, exact=True)
    if made != content:
        raise changed(photo)
    try:
        store.keep(content, small, frame)
    except LibraryError as error:  # such as a full disk, of which a page full of thumbnails would tell as often
        log.info("%s", error)
    return small


def preview(
    photo: PhotoRecord, catalog: Catalog, decoder: PictureDecoder, frame: int = 0, served: Original | None = None
) -> bytes:
    """The photo, or a frame, upright, as WebP as large as a screen at most, from the original: `served` and no other.

    Raises:
        PictureGoneError: the original is gone.
        ImageError: it cannot be decoded.
    """
    short, long = sorted((photo.width or 1, photo.height or 1))
    min_side = max(1, SCREEN_SIDE * short // long)
    return _render(photo, catalog, decoder, frame, min_side, for_a_screen, exact=False, served=served)[1]


def region(photo: PhotoRecord, catalog: Catalog, decoder: PictureDecoder, part: Region, side: int) -> bytes:
    """The file of a region of the photo, of a video of its poster, with at least `side` pixels where it has them.

    Raises:
        PictureGoneError: the original is gone.
        ImageError: it cannot be decoded.
    """
    finish = partial(cut, box=astuple(part))
    return _render(photo, catalog, decoder, 0, part.least_side(side), finish, exact=False)[1]


def network_square(
    photo: PhotoRecord, catalog: Catalog, decoder: PictureDecoder, prepare: Prepare, side: int, frame: int = 0
) -> NDArray[np.uint8]:
    """What the network sees of the photo, or of a frame: (side, side, 3), by the `prepare` of its embedder.

    Raises:
        PictureGoneError: the original is gone.
        ImageError: it cannot be decoded.
    """
    finish = partial(rendering.network_square, prepare=prepare)
    made = _render(photo, catalog, decoder, frame, side, finish, exact=False)[1]
    square: NDArray[np.uint8] = np.load(BytesIO(made), allow_pickle=False)
    return square


def _render(
    photo: PhotoRecord,
    catalog: Catalog,
    decoder: PictureDecoder,
    frame: int,
    min_side: int,
    finish: Callable[[Image.Image], bytes],
    *,
    exact: bool,
    served: Original | None = None,
) -> tuple[str, bytes]:
    """The content hash of a photo's file, and what `finish` makes of its picture, or of a frame of it.

    `exact` wants the hash of a video too, which costs a look at the whole file.
    """
    like = [photo.content_hash] if photo.content_hash else []
    with opened(photo, catalog) if served is None else nullcontext(served) as original:
        if photo.duration_s is not None or frame:  # a photo has no frames, and that is said
            moment_s = _moment(photo, catalog, frame)
            return decoder.frame(original.file, like if exact else [], moment_s, min_side, finish)
        return decoder.photo(original.file, like, min_side, finish)


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
