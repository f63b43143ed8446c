"""A video's file to what is stored of it: its frames as the network sees them, small pictures, length and metadata.

It keeps one full frame at a time. Decoding is video_frames.py's, and what the header says video_header.py's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from indexer.errors import ImageError
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.metadata.video_header import read_header
from indexer.pictures import formats, images
from indexer.pictures.frames import is_blank
from indexer.pictures.video_frames import Video, open_video

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def is_video_name(path: str | Path) -> bool:
    """Whether a file is named like a video."""
    text = str(path)
    return text[text.rfind(".") :].lower() in formats.VIDEO_SUFFIXES


@dataclass(frozen=True)
class LoadedVideo:
    """A decoded video, and what tells its file apart from another. The poster is the frame that stands for it.

    Attributes:
        format: of the container.
        width: upright, in pixels.
        height: likewise.
        duration_s: its length.
        metadata: what its header says.
        content_hash: as of a photo.
        status: what the system said of the file before it was read.
        poster_s: when the poster is shown.
        moments: when the other frames are shown, in the order of time; f - 1 of them.
        pixels: of the poster and of the others, as `prepare` gave them: (f, s, s, 3).
        thumbnails: likewise.
    """

    format: str
    width: int
    height: int
    duration_s: float
    metadata: PhotoMetadata
    content_hash: str
    status: os.stat_result
    poster_s: float
    moments: tuple[float, ...]
    pixels: NDArray[np.uint8]
    thumbnails: tuple[bytes, ...]


def load(
    path: Path,
    *,
    prepare: Callable[[Image.Image], NDArray[np.uint8]],
    thumbnail: Callable[[Image.Image], bytes],
    min_side: int,
    max_pixels: int,
    like: Collection[str] = (),
    on_frame: Callable[[], None] = lambda: None,
) -> LoadedVideo:
    """Decode the frames of a video.

    Args:
        path: of the file.
        prepare: frame -> what the network sees of it.
        thumbnail: frame -> its small picture.
        min_side: the short side in pixels that `prepare` scales to; frames keep twice that.
        max_pixels: larger frames are refused.
        like: as for `images.load`.
        on_frame: called before each frame is decoded, so that a bound of time can hold for one of them.

    Raises:
        ImageError: it cannot be decoded, or changed meanwhile.
    """
    import numpy as np

    before = _stat(path)
    content = images.hash_file(path, like=like)
    pixels, thumbnails, moments, blank = [], [], [], []
    with _opened(path, min_side, max_pixels) as video:
        on_frame()
        for frame in video.frames():
            pixels.append(prepare(frame.picture))
            thumbnails.append(thumbnail(frame.picture))
            moments.append(frame.moment_s)
            blank.append(is_blank(frame.picture))
            on_frame()
    if not moments:
        raise ImageError("the video has no frame that can be decoded")
    if images.stamp(_stat(path)) != images.stamp(before):
        raise ImageError(images.CHANGED)
    poster = _poster(blank)
    order = [poster, *(number for number in range(len(moments)) if number != poster)]
    return LoadedVideo(
        format=video.format,
        width=video.width,
        height=video.height,
        duration_s=video.duration_s or moments[-1],
        metadata=read_header(video.header),
        content_hash=content,
        status=before,
        poster_s=moments[poster],
        moments=tuple(moments[number] for number in order[1:]),
        pixels=np.stack([pixels[number] for number in order]),
        thumbnails=tuple(thumbnails[number] for number in order),
    )


def frame_at(path: Path, moment_s: float, *, min_side: int, max_pixels: int) -> Image.Image:
    """The frame that is shown at a moment, or the last before it.

    Raises:
        ImageError: the video cannot be decoded.
    """
    with _opened(path, min_side, max_pixels) as video:
        return video.frame_at(moment_s)


def read_metadata(path: Path) -> PhotoMetadata:
    """What the header of a video says; decodes one frame.

    Raises:
        ImageError: it is no video that can be read.
    """
    with open_video(path) as video:
        return read_header(video.header)


def _opened(path: Path, min_side: int, max_pixels: int) -> AbstractContextManager[Video]:
    return open_video(
        path,
        scale=lambda size: images.spare_scale(size, min_side),
        check_size=lambda width, height: formats.check_size(width, height, max_pixels),
    )


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise images.unreadable(error) from error


def _poster(blank: list[bool]) -> int:
    """The frame nearest to the middle that shows something."""
    middle = len(blank) // 2
    return min(range(len(blank)), key=lambda number: (blank[number], abs(number - middle)))
