"""What the head of a photo's file says of it, where that is all that is asked: of a large file only a little is read.

What cannot be parsed says nothing, and costs nothing: whether a file is a sound photo is found out when it is decoded.
"""

from __future__ import annotations

import os
import struct
from io import BufferedReader, BytesIO
from pathlib import Path

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from indexer.errors import ImageError, UnreadableError
from indexer.metadata.describing import metadata_in, metadata_of
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.metadata.shots import Shot, shot_of
from indexer.metadata.video_header import read_header, text_errors
from indexer.pictures import images, raw_header
from indexer.pictures.content.scans import has_too_many_segments
from indexer.pictures.rereading import written_in
from indexer.pictures.video_frames import OPTIONS
from indexer.pictures.videos import is_video_name

_HEAD = 1 << 20  # bytes; what stands in front of a file's boxes, or of a preview's pixels
_JPEG_HEAD = 1 << 19  # bytes; EXIF, a colour profile and a preview, and more than nearly all have
_FUJI = b"FUJIFILMCCD-RAW"


def read_head(path: Path) -> Shot:
    """What is written in a RAW's header, a picture's, or a video's.

    Raises:
        UnreadableError: the file cannot be read now.
    """
    try:
        if not path.is_file():  # a pipe would wait for ever
            path.stat()
            return Shot()
        if is_video_name(path):
            return _of_video(path)
        with path.open("rb") as file:
            return shot_of(_said(file, path.suffix.lower()))
    except UnreadableError:
        raise
    except ImageError:
        return Shot()
    except OSError as error:
        raise images.unreadable(error) from error


def _said(file: BufferedReader, suffix: str) -> PhotoMetadata:
    try:
        if suffix in raw_header.SUFFIXES:
            return _of_raw(file)
        if file.peek(3)[:3] == b"\xff\xd8\xff":
            return _of_jpeg(file)
        if os.fstat(file.fileno()).st_size > images.DEFAULT_MAX_BYTES:
            return PhotoMetadata()
        return written_in(file.read(), suffix, images.DEFAULT_MAX_PIXELS)
    except Exception as error:  # as in images.decode(): decoders raise whatever they like
        if isinstance(error, OSError) and error.errno:  # else it is Pillow's, which understands nothing of the file
            raise
        return PhotoMetadata()


def _of_jpeg(file: BufferedReader) -> PhotoMetadata:
    """What stands in front of a JPEG's pixels, of which the beginning is read, and the rest where that is not all."""
    head = file.read(_JPEG_HEAD)
    try:
        return _in_jpeg(head)
    except Exception:  # cut within a segment, as a rule
        if len(head) < _JPEG_HEAD or os.fstat(file.fileno()).st_size > images.DEFAULT_MAX_BYTES:
            raise
        return _in_jpeg(head + file.read())


def _in_jpeg(jpeg: bytes) -> PhotoMetadata:
    """The same; nothing of one that is made of so many segments that Pillow would be busy with them for seconds."""
    return PhotoMetadata() if has_too_many_segments(jpeg) else metadata_of(JpegImageFile(BytesIO(jpeg)))


def _of_raw(file: BufferedReader) -> PhotoMetadata:
    """What a RAW's own header says, or the preview's where that is in a place of its own; else nothing."""
    start = file.read(16)
    if raw_header.is_like_tiff(start):
        exif = Image.Exif()
        exif.endian = "<" if start[:2] == b"II" else ">"
        exif.load_from_fp(file, struct.unpack_from(f"{exif.endian}I", start, 4)[0])
        return metadata_in(exif)
    file.seek(0)
    head = file.read(_HEAD)
    if start.startswith(_FUJI):
        at, size = struct.unpack_from(">2I", head, 84)
        file.seek(at)
        return metadata_of(JpegImageFile(BytesIO(file.read(min(size, _HEAD)))))
    found = raw_header.exif(head)
    return PhotoMetadata() if found is None else metadata_in(found)


def _of_video(path: Path) -> Shot:
    """What the container says of a video, without decoding a frame."""
    try:
        import av
    except ImportError as error:  # once it is there the file is asked again
        raise UnreadableError(f"videos need PyAV: pip install av ({error})") from error
    with path.open("rb") as file:
        try:
            with av.open(file, "r", options=OPTIONS, **text_errors(av.__version__)) as container:
                said = {name: text for stream in container.streams.video[:1] for name, text in stream.metadata.items()}
                length = container.duration / av.time_base if container.duration else None
                return shot_of(read_header({**said, **container.metadata}), length)
        except Exception as error:  # as in images.decode(): decoders raise whatever they like
            if isinstance(error, OSError) and not isinstance(error, av.FFmpegError):
                raise
            raise ImageError(f"the video cannot be opened: {getattr(error, 'strerror', None) or error}") from error
