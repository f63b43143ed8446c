"""What a worker process makes of one file: a photo with its pixels and thumbnail, or only what its files say of it.

Imports no torch, no NumPy and no catalog: it crosses over to the worker, where only what it needs is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from indexer.catalog.records import FoundFile, NewPhoto
from indexer.catalog.stamps import changed_ns, inode_of
from indexer.metadata import describing
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.metadata.sidecar import kept, name_in
from indexer.pictures import images, videos
from indexer.pictures.rereading import reread
from indexer.pictures.thumbnails import ThumbnailStore
from indexer.pictures.transit import in_transit
from indexer.pictures.videos import is_video_name
from indexer.workers.worker import still_at_it

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Made(NamedTuple):
    """What was made of a file.

    Attributes:
        photo: to be stored.
        pixels: what the network sees of it, (f, s, s, 3) bytes: of a photo one, of a video its poster and other frames.
        thumbnails: likewise; b"" where there is one already.
    """

    photo: NewPhoto
    pixels: NDArray[np.uint8]
    thumbnails: tuple[bytes, ...]


@dataclass(frozen=True)
class Recipe:
    """How files become photos.

    Attributes:
        prepare: picture -> what the network sees of it, (s, s, 3) bytes.
        thumbnails: makes the small pictures, and knows which are there.
        min_side: the short side in pixels that the network scales to.
        max_pixels: a picture with more is refused.
    """

    prepare: Callable[[Image.Image], NDArray[np.uint8]]
    thumbnails: ThumbnailStore
    min_side: int
    max_pixels: int

    def __call__(self, path: Path, file: FoundFile, content: str | None = None) -> Made:
        """Read, hash, decode and prepare the file at `path`, which the scan found as `file`.

        `content` is the hash that the catalog has for what is in it, where it is known to be that still.

        Raises:
            ImageError: it cannot be made a photo of.
        """
        like = [content] if content else []
        return self._video(path, file, like) if is_video_name(path) else self._photo(path, file, like)

    def _photo(self, path: Path, file: FoundFile, like: list[str]) -> Made:
        loaded = images.load(path, min_side=self.min_side, max_pixels=self.max_pixels, like=like)
        decoded = loaded.decoded
        thumbnail = b"" if self.thumbnails.exists(loaded.content_hash) else self.thumbnails.make(decoded.image)
        name = name_in(file.sidecar)
        metadata, read = describing.complete(decoded.metadata, path, sidecar=name, mtime_ns=loaded.status.st_mtime_ns)
        photo = NewPhoto(
            path=file.path,
            **_stamp(loaded.status),
            content_hash=loaded.content_hash,
            width=decoded.width,
            height=decoded.height,
            format=decoded.format,
            metadata=metadata,
            sidecar=kept(file.sidecar, read=read),
        )
        return Made(photo, in_transit(self.prepare, decoded.image, stacked=True), (thumbnail,))

    def _video(self, path: Path, file: FoundFile, like: list[str]) -> Made:
        loaded = videos.load(
            path,
            prepare=self.prepare,
            thumbnail=self.thumbnails.make,
            min_side=self.min_side,
            max_pixels=self.max_pixels,
            like=like,
            on_frame=still_at_it,
        )
        name = name_in(file.sidecar)
        metadata, read = describing.complete(loaded.metadata, path, sidecar=name, mtime_ns=loaded.status.st_mtime_ns)
        photo = NewPhoto(
            path=file.path,
            **_stamp(loaded.status),
            content_hash=loaded.content_hash,
            width=loaded.width,
            height=loaded.height,
            format=loaded.format,
            metadata=metadata,
            sidecar=kept(file.sidecar, read=read),
            duration_s=loaded.duration_s,
            poster_s=loaded.poster_s,
            moments=loaded.moments,
        )
        return Made(photo, loaded.pixels, loaded.thumbnails)

    def describe(self, path: Path, file: FoundFile) -> tuple[PhotoMetadata, bool]:
        """Read a known picture's metadata again, from its file and its sidecar, and say whether the latter was read.

        Raises:
            ImageError: its file cannot be read.
        """
        written = reread(path, max_pixels=self.max_pixels, max_bytes=images.DEFAULT_MAX_BYTES)
        return describing.complete(written, path, sidecar=name_in(file.sidecar), mtime_ns=file.mtime_ns)


def _stamp(status: os.stat_result) -> dict[str, Any]:
    """The stamp of a file as it was before it was read, so that whatever was written since makes another one."""
    times = {"mtime_ns": status.st_mtime_ns, "ctime_ns": changed_ns(status)}
    return {"size": status.st_size, **times, "inode": inode_of(status)}
