"""What is in a photo's file beside its picture and the words that are written: it has to stay, in its order.

Some files hold it in ways that ExifTool would rearrange or lose; nothing is written into these.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import zip_longest

from app.tagging.export import structure_boxes, structure_parts
from app.tagging.export.structure_parts import OddError, Rest

__all__ = ["OddError", "Rest", "require_kept", "rest"]

_APP1 = 0xE1
_EXIF = (_APP1, b"eXIf", b"EXIF")

_OF: dict[str, Callable[[bytes], Rest]] = {
    "JPEG": structure_parts.jpeg,
    "PNG": structure_parts.png,
    "WEBP": structure_parts.webp,
    "GIF": structure_parts.gif,
    "HEIF": structure_boxes.heif,
    "AVIF": structure_boxes.heif,
    "JXL": structure_boxes.jxl,
    "TIFF": structure_boxes.tiff,
    "RAW": partial(structure_boxes.tiff, raw=True),
}


def rest(source: bytes, form: str) -> Rest:
    """What of a file of a format has to stay.

    Raises:
        OddError: nothing is written into such a file; the message says why.
    """
    try:
        found = _OF[form](source)
        return Rest([part for one in found.others for part in _comparable(*one)], found.texts)
    except (ValueError, LookupError, struct.error) as error:
        raise OddError("it is not built as such a file should be.") from error


def require_kept(before: Rest, after: bytes, form: str, packet: bytes | None) -> None:
    """See that a file's new bytes hold all that has to stay.

    Args:
        before: what that is.
        after: the new bytes.
        form: the format.
        packet: the XMP that the file held.

    Raises:
        OddError: something is lost, changed, or elsewhere.
    """
    now = rest(after, form)
    if now.others != before.others:
        pairs = zip_longest(before.others, now.others, fillvalue=("its end", b""))
        name = next(one[0] for one, other in pairs if one != other)
        raise OddError(f"what is in it beside the picture would change ({name}).")
    left = list(now.texts)
    for text in before.texts:
        if text in left:
            left.remove(text)
        elif packet is None or text.strip() != packet.strip():
            raise OddError("a text in it that is not the photo's own would get lost.")
        else:
            packet = None  # one is written anew, and no second


def _comparable(name: object, content: bytes) -> list[tuple[object, bytes]]:
    """A part as it is; EXIF as its tags, since ExifTool writes it anew, without the gaps between them."""
    if name in _EXIF and (start := 6 if content.startswith(b"Exif\0\0") else 0 if name != _APP1 else None) is not None:
        with suppress(ValueError, LookupError, struct.error, OddError):
            return [((name, *tag), value) for tag, value in structure_boxes.exif(content[start:])]
    return [(name, content)]
