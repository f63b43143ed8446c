"""Reads what is written inside a known photo or video again, without decoding its picture.

What its surroundings say of it (its sidecar, its name) is describing.py's business, as it is of a new photo.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from indexer.errors import ImageError
from indexer.metadata import describing
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.pictures import formats, raw, videos
from indexer.pictures.videos import is_video_name


def reread(path: Path, *, max_pixels: int, max_bytes: int) -> PhotoMetadata:
    """What is written inside a photo's file now.

    Args:
        path: of the file.
        max_pixels: a larger picture is not opened.
        max_bytes: nor is a larger file.

    Raises:
        ImageError: it cannot be read.
    """
    if is_video_name(path):
        return videos.read_metadata(path)
    try:
        if path.stat().st_size > max_bytes:
            raise ImageError(f"the file is larger than the bound of {max_bytes:,} bytes")
        return written_in(path.read_bytes(), path.suffix.lower(), max_pixels)
    except ImageError:
        raise
    except Exception as error:  # as in images.decode(): decoders raise whatever they like
        raise ImageError(f"its metadata cannot be read again: {str(error)[:200]}") from error


def written_in(source: bytes, suffix: str, max_pixels: int) -> PhotoMetadata:
    """What is written inside a picture; raises an ImageError, or whatever the decoder does."""
    if formats.sniff(source, suffix) == "RAW":
        try:
            return raw.read_metadata(source)
        except raw.NotRawError:
            if formats.sniff(source) == "RAW":
                raise  # else a TIFF with a RAW's name
    name, image = formats.open_picture(source, max_pixels=max_pixels, suffix=suffix)
    if name == "PNG":
        image.load()  # what follows the pixels is read with them
    written = describing.metadata_of(image)
    if name == "HEIF":
        return replace(written, orientation=image.info.get("original_orientation") or 1)
    return written
