"""Reads a known photo's metadata again, without decoding its picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from indexer import exif, formats
from indexer.errors import ImageError
from indexer.exif import PhotoMetadata


def reread(path: Path, *, max_pixels: int, max_bytes: int) -> PhotoMetadata:
    """What a photo's file says now.

    Args:
        path: of the photo's file.
        max_pixels: a larger picture is not opened.
        max_bytes: nor is a larger file.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise ImageError(f"the file is larger than the bound of {max_bytes:,} bytes")
        name, image = formats.open_picture(path.read_bytes(), max_pixels=max_pixels)
        if name == "PNG":
            image.load()  # what follows the pixels is read with them
        found = exif.metadata_of(image)
    except ImageError:
        raise
    except Exception as error:  # as in images.decode(): decoders raise whatever they like
        raise ImageError(f"its metadata cannot be read again: {str(error)[:200]}") from error
    return replace(found, orientation=image.info.get("original_orientation") or 1) if name == "HEIF" else found
