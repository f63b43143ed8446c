"""Thumbnails: a small WebP for each content, and each frame of a video, in the library; copies and moves share them.

They are a cache that a decode makes again: written by rename, so that nobody sees half of one, and never synced.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.errors import LibraryError

if TYPE_CHECKING:
    from PIL import Image

DEFAULT_SIDE = 384
_WIDEST = 3  # a panorama keeps a third of the side in height, and grows this much longer for it
_QUALITY = 80
_METHOD = 2  # 5 ms for 384 x 288; 4, Pillow's own, takes twice that and saves 3 % of the bytes
_PARTIAL = "partial"  # folder of thumbnails being written
_HASH = re.compile(r"[0-9a-f]{16,128}")


class ThumbnailStore:
    """The thumbnails of one library: folder/ab/abcdef....webp, and of a video's frame folder/ab/abcdef.../12.webp."""

    def __init__(self, folder: Path, side: int = DEFAULT_SIDE) -> None:
        """Name the folder; it is made when the first thumbnail is written.

        Args:
            folder: where the thumbnails lie.
            side: the long side in pixels; a smaller picture is not enlarged.
        """
        self.folder = folder
        self.side = side

    def path(self, content_hash: str, frame: int = 0) -> Path:
        """Where the thumbnail of a content, or of a frame of it, lies, whether it exists or not.

        Raises:
            ValueError: it is no hexadecimal hash, and might lead out of the folder.
        """
        if not _HASH.fullmatch(content_hash):
            raise ValueError(f"not a content hash: {content_hash!r}; expected 16 to 128 hexadecimal digits")
        own = self.folder / content_hash[:2] / content_hash
        return own / f"{frame}.webp" if frame else own.with_suffix(".webp")

    def exists(self, content_hash: str) -> bool:
        """Whether there is a thumbnail; an empty file, as a power cut leaves, is none."""
        return _size(self.path(content_hash)) > 0

    def write(self, content_hash: str, image: Image.Image) -> Path:
        """Make the thumbnail of an RGB picture, unless there is one.

        Raises:
            LibraryError: the folder cannot be written, or the disk is full.
        """
        target = self.path(content_hash)
        return target if _size(target) > 0 else self.keep(content_hash, self.make(image))

    def make(self, image: Image.Image) -> bytes:
        """The thumbnail of an RGB picture, for `keep`."""
        return encode(shrink(image, self.side))

    def keep(self, content_hash: str, content: bytes, frame: int = 0) -> Path:
        """Write what `make` gave, of a content or of a frame of it.

        Raises:
            LibraryError: the folder cannot be written, or the disk is full.
        """
        target = self.path(content_hash, frame)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._replace(target, content)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return target

    def remove(self, content_hash: str) -> None:
        """Delete the thumbnails of a content; those that are not there are fine.

        Raises:
            LibraryError: the folder cannot be written.
        """
        try:
            with suppress(FileNotFoundError, NotADirectoryError):
                shutil.rmtree(self.path(content_hash, 1).parent)
            self.path(content_hash).unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def hashes(self) -> Iterator[str]:
        """The contents that there are thumbnails of."""
        return (path.stem for path in self.folder.glob("[0-9a-f][0-9a-f]/*.webp") if _HASH.fullmatch(path.stem))

    def remove_leftovers(self) -> int:
        """Delete what a killed process was writing; only the library's one writer may call it.

        Returns:
            How many files went.
        """
        count = 0
        for leftover in list((self.folder / _PARTIAL).glob("*.webp")):
            with suppress(OSError):
                leftover.unlink()
                count += 1
        return count

    def _replace(self, target: Path, content: bytes) -> None:
        partial = self.folder / _PARTIAL
        partial.mkdir(exist_ok=True)
        written = partial / f"{target.stem}-{os.getpid()}-{threading.get_ident()}.webp"
        try:
            written.write_bytes(content)
            written.replace(target)
        except BaseException:
            written.unlink(missing_ok=True)
            raise


def shrink(image: Image.Image, side: int) -> Image.Image:
    """A copy whose long side is `side`, or more where the short one would drop below a third of it."""
    from PIL import Image

    short, long = sorted(image.size)
    scale = min(1.0, max(side / long, min(side / _WIDEST / short, _WIDEST * side / long)))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # From 1000 x 750 Hamming takes 3 ms and Lanczos 7, for a little more crispness.
    return image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)


def encode(image: Image.Image) -> bytes:
    """A picture as WebP, without metadata."""
    return webp(image, quality=_QUALITY, method=_METHOD, icc_profile=b"", exif=b"")


def webp(image: Image.Image, **how: Any) -> bytes:
    """A picture as a WebP file; `how` is what Pillow lets one say of it."""
    buffer = _WebP()
    image.save(buffer, **how)
    return buffer.getvalue()


class _WebP(BytesIO):
    """Told the format by a name like this, Pillow imports what writes it; told it outright, all forty that it knows."""

    name = "picture.webp"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _unwritable(folder: Path, error: OSError) -> LibraryError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LibraryError(f"the disk is full: no thumbnail could be written to {folder}. Free space and run again.")
    return LibraryError(
        f"the thumbnail folder {folder} cannot be written: {error.strerror or error}. "
        "Give yourself permission, or name another library with --library."
    )
