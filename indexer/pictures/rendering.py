"""What a worker process makes of a picture that is searched by or looked at: a square for the network, a small WebP.

Imports no torch, no NumPy and no catalog, as recipe.py. A file is read through the one that the parent has checked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from indexer.errors import ImageError
from indexer.pictures import images, thumbnails
from indexer.pictures.content import picture_hash as content
from indexer.pictures.open_file import reopened
from indexer.pictures.transit import in_transit
from indexer.pictures.videos import frame_at

if TYPE_CHECKING:
    from indexer.pictures.transit import Pixels

SCREEN_SIDE = 1600  # pixels on the longer side
SMALL_SIDE = 192  # likewise
QUALITY = 85

Prepare = Callable[[Image.Image], "Pixels"]
Stamp = tuple[int, ...]
Box = tuple[float, float, float, float]
"""Left, top, width and height of a region, in fractions of the picture."""


def square(picture: bytes | Path, prepare: Prepare, min_side: int, max_pixels: int, suffix: str = "") -> Pixels:
    """What the network sees of a picture: (s, s, 3). Bytes may come with the suffix of their file's name.

    Raises:
        ImageError: it cannot be decoded.
    """
    if isinstance(picture, Path):
        return in_transit(prepare, images.load(picture, min_side=min_side, max_pixels=max_pixels).decoded.image)
    decoded = images.decode(picture, min_side=min_side, max_pixels=max_pixels, suffix=suffix)
    return in_transit(prepare, decoded.image)


def square_and_small(picture: bytes, prepare: Prepare, min_side: int, max_pixels: int) -> tuple[Pixels, bytes]:
    """The same, with a small WebP of the picture to show.

    Raises:
        ImageError: it cannot be decoded.
    """
    image = images.decode(picture, min_side=min_side, max_pixels=max_pixels).image
    pixels = in_transit(prepare, image)
    image.thumbnail((SMALL_SIDE, SMALL_SIDE))
    return pixels, webp(image)


def region(picture: Path, box: Box, min_side: int, max_pixels: int) -> bytes:
    """A region of a picture's file, as `cut` gives it.

    Raises:
        ImageError: it cannot be decoded.
    """
    return cut(images.load(picture, min_side=min_side, max_pixels=max_pixels).decoded.image, box)


def network_square(image: Image.Image, prepare: Prepare) -> bytes:
    """What the network sees of an upright picture, as a file of NumPy's."""
    import numpy as np

    target = BytesIO()
    np.save(target, prepare(image), allow_pickle=False)
    return target.getvalue()


def cut(image: Image.Image, box: Box) -> bytes:
    """A region of an upright picture, at least a pixel of it, as PNG, which loses nothing."""
    left, top, width, height = box
    x, y = min(int(left * image.width), image.width - 1), min(int(top * image.height), image.height - 1)
    right, bottom = round((left + width) * image.width), round((top + height) * image.height)
    target = BytesIO()
    image.crop((x, y, max(right, x + 1), max(bottom, y + 1))).save(target, "PNG", compress_level=1)
    return target.getvalue()


def photo(
    path: Path,
    stamp: Stamp,
    like: Collection[str],
    min_side: int,
    max_pixels: int,
    finish: Callable[[Image.Image], bytes],
) -> tuple[str, bytes]:
    """The content hash of a photo's file, and what `finish` makes of its picture.

    Raises:
        ImageError: it cannot be decoded, or is another file than the one with that stamp.
    """
    with reopened(path, stamp) as file:
        if file.status.st_size > images.DEFAULT_MAX_BYTES:
            raise ImageError(f"the file is larger ({file.status.st_size:,} bytes) than what is decoded")
        source = _read(file.descriptor)
    image = images.decode(source, min_side=min_side, max_pixels=max_pixels, suffix=path.suffix.lower()).image
    return content.hash_bytes(source, like=like), finish(image)


def frame(
    path: Path,
    stamp: Stamp,
    like: Collection[str],
    moment_s: float,
    min_side: int,
    max_pixels: int,
    finish: Callable[[Image.Image], bytes],
) -> tuple[str, bytes]:
    """The content hash of a video's file, "" where none is asked for, and what `finish` makes of one of its frames.

    Raises:
        ImageError: as `photo`.
    """
    with reopened(path, stamp) as file:
        content_hash = images.hash_file(file.held, like=like) if like else ""
        image = frame_at(file.held, moment_s, min_side=min_side, max_pixels=max_pixels)
    return content_hash, finish(image)


def for_a_screen(image: Image.Image) -> bytes:
    """A picture as WebP, as large as a screen at most."""
    image.thumbnail((SCREEN_SIDE, SCREEN_SIDE), Image.Resampling.LANCZOS)
    return webp(image)


def webp(image: Image.Image) -> bytes:
    """A picture as WebP, for people to look at."""
    return thumbnails.webp(image, quality=QUALITY, method=2)


def _read(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()
