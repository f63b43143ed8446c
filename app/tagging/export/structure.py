"""What is in a photo's file beside its picture and the words that are written: it has to stay, in its order.

Some files hold it in ways that ExifTool would rearrange or lose; nothing is written into these.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from app.tagging.export import structure_boxes, structure_parts
from app.tagging.export.structure_parts import OddError, Rest

__all__ = ["OddError", "Rest", "require_kept", "rest"]

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
        return _OF[form](source)
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
        kept = sum(1 for one, other in zip(before.others, now.others, strict=False) if one == other)
        name = before.others[kept][0] if kept < len(before.others) else "its end"
        raise OddError(f"what is in it beside the picture would change ({name}).")
    left = list(now.texts)
    for text in before.texts:
        if text in left:
            left.remove(text)
        elif packet is None or text.strip() != packet.strip():
            raise OddError("a text in it that is not the photo's own would get lost.")
        else:
            packet = None  # one is written anew, and no second
