"""Frames of a video about every two seconds, upright and in square pixels, read through PyAV; and what its header says.

It embeds and stores nothing. PyAV is imported at the first video and not before. Only containers that hold pictures
themselves are opened: playlists and the like, which name other files and hosts, are no videos here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.errors import ImageError
from indexer.metadata.video_header import text_errors
from indexer.pictures.content.video_reader import CheckSize, Reader, duration_s

if TYPE_CHECKING:
    from PIL import Image

EVERY_S = 2.0
MAX_FRAMES = 300  # of a film longer than ten minutes: evenly spread over the whole of it
_HD_HEIGHT = 720  # from here on an untagged video is BT.709, below it BT.601: the players' rule
_BT709, _UNTAGGED = 1, 2
_ROUNDING_S = 0.001
OPTIONS = {"format_whitelist": "mov,matroska,avi,mpeg,mpegts,mpegvideo,m4v,asf,flv,ogg", "protocol_whitelist": "file"}
_COVER = 0x400  # AV_DISPOSITION_ATTACHED_PIC
_FORMATS = {"QuickTime": "MOV", "mov": "MP4", "matroska": "MKV", "mpegts": "MPEG-TS", "asf": "WMV"}
_FORMATS |= {"mpegvideo": "MPEG", "m4v": "MPEG"}


_Scale = Callable[[tuple[int, int]], int]


@dataclass(frozen=True)
class VideoFrame:
    """One frame: when it is shown, in seconds from the start, and its RGB picture."""

    moment_s: float
    picture: Image.Image


@dataclass(frozen=True)
class Video:
    """An open video.

    Attributes:
        format: of its container, such as "MP4".
        width: upright, in square pixels.
        height: likewise.
        duration_s: 0 where its header does not say.
        header: what the container says of it, by the names that FFmpeg uses.
        frames: reads the frames.
        frame_at: reads the one that is shown at a moment in seconds, or the last before it.
    """

    format: str
    width: int
    height: int
    duration_s: float
    header: Mapping[str, str]
    frames: Callable[[], Iterator[VideoFrame]]
    frame_at: Callable[[float], Image.Image]


def moments(duration_s: float) -> list[float]:
    """The moments to look at: the middle of each of equal parts of about EVERY_S, at most MAX_FRAMES of them.

    Where the length is not known, as many as there may be.
    """
    if duration_s <= 0:
        return [EVERY_S * (part + 0.5) for part in range(MAX_FRAMES)]
    count = min(MAX_FRAMES, max(1, round(duration_s / EVERY_S)))
    return [duration_s * (part + 0.5) / count for part in range(count)]


@contextmanager
def open_video(
    path: Path,
    *,
    scale: _Scale = lambda size: 1,
    check_size: CheckSize = lambda width, height: None,
) -> Iterator[Video]:
    """Open a video for as long as the block runs.

    Args:
        path: of the file.
        scale: width and height -> by how much the frames may shrink.
        check_size: raises an ImageError where a frame is too large to be read.

    Raises:
        ImageError: PyAV is not installed, or the file is no video, has no picture, or cannot be decoded.
    """
    try:
        import av
    except ImportError as error:
        raise ImageError(f"videos need PyAV: pip install av ({error})") from error
    try:
        with path.open("rb") as file, av.open(file, options=OPTIONS, **text_errors(av.__version__)) as container:
            stream = _stream(container)
            check_size(stream.codec_context.width, stream.codec_context.height)
            yield _opened(container, stream, scale, check_size, av.FFmpegError)
    except ImageError:
        raise
    except Exception as error:  # as in images.decode(): decoders raise whatever they like
        raise ImageError(f"the video cannot be decoded: {getattr(error, 'strerror', None) or error}") from error


def _stream(container: Any) -> Any:
    streams = [stream for stream in container.streams.video if not int(stream.disposition) & _COVER]
    if not streams:
        only_sound = bool(container.streams.audio)
        raise ImageError("it has no picture, only sound" if only_sound else "it is cut short or holds nothing")
    if streams[0].codec_context is None:
        raise ImageError("it is cut short, or coded in a way that is not known")
    streams[0].codec_context.thread_count = 1  # there is a worker for each core
    return streams[0]


def _opened(container: Any, stream: Any, scale: _Scale, check: CheckSize, broken: type[Exception]) -> Video:
    first = _first(container, stream, broken)
    check(first.width, first.height)
    name = container.format.name.partition(",")[0]
    turned = first.rotation % 180 != 0
    width, height = _size(first, stream)[:: -1 if turned else 1]
    if name == "mov" and container.metadata.get("major_brand", "qt").strip() == "qt":
        name = "QuickTime"
    header = {**stream.metadata, **container.metadata}
    frames = partial(_frames, container, stream, scale, check, broken)
    frame_at = partial(_frame_at, container, stream, scale, check, broken)
    return Video(
        _FORMATS.get(name, name.upper()), width, height, duration_s(container, stream), header, frames, frame_at
    )


def _first(container: Any, stream: Any, broken: type[Exception], *, again: bool = False) -> Any:
    try:
        if again:
            container.seek(0)
        return next(container.decode(stream))
    except (StopIteration, broken) as error:
        reason = getattr(error, "strerror", None)
        raise ImageError("the video has no frame that can be decoded" + (f": {reason}" if reason else "")) from error


def _frames(
    container: Any, stream: Any, scale: _Scale, check: CheckSize, broken: type[Exception]
) -> Iterator[VideoFrame]:
    """One frame of each part."""
    reader = Reader(container, stream, broken, check)
    wanted = moments(duration_s(container, stream))
    reach = wanted[0]  # half the distance between two
    last = -1.0
    for moment in wanted:
        frame = reader.at(moment, reach)
        if frame is None and not reader.known_length:
            break
        if frame is not None and (at := reader.time(frame)) > last:
            last = at
            yield VideoFrame(at, _picture(frame, stream, scale))
    if last < 0:  # wherever one seeks there is damage, or another clock: recordings that were joined
        yield VideoFrame(0.0, _picture(_first(container, stream, broken, again=True), stream, scale))


def _frame_at(
    container: Any, stream: Any, scale: _Scale, check: CheckSize, broken: type[Exception], moment_s: float
) -> Image.Image:
    frame = Reader(container, stream, broken, check).at(moment_s, _ROUNDING_S)
    return _picture(frame or _first(container, stream, broken, again=True), stream, scale)


def _size(frame: Any, stream: Any) -> tuple[int, int]:
    """In square pixels, as it is stored: perhaps lying on its side."""
    ratio = stream.sample_aspect_ratio or 1
    return max(1, round(frame.width * float(ratio if 1 <= 8 * ratio <= 64 else 1))), frame.height  # film has 2 at most


def _picture(frame: Any, stream: Any, scale: _Scale) -> Image.Image:
    """The frame as RGB, in square pixels, then turned as its display matrix says."""
    assume = _BT709 if frame.colorspace == _UNTAGGED and frame.height >= _HD_HEIGHT else None
    size = _size(frame, stream)  # of this one: recordings that were joined are of several
    factor = scale(size)
    width, height = (max(1, side // factor) for side in size)
    area = "AREA" if factor > 1 else None
    small = frame.reformat(width, height, "rgb24", src_colorspace=assume, interpolation=area)
    picture: Image.Image = small.to_image()
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture
