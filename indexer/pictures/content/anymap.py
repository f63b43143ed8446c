"""Portable anymaps as Pillow reads them at once: other depths than 8 bits, and text, it takes number by number.

That are minutes for a photo of 24 million pixels. What is not built as it should be is left to Pillow, and its words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADER = re.compile(rb"P([2356])%b(\d{1,9})%b(\d{1,9})%b(\d{1,5})\s" % (_GAP, _GAP, _GAP))
_COMMENT = re.compile(rb"#[^\r\n]*")
_SMALL = 1 << 16
"""Bytes of a file that Pillow is quick with."""
_AT_ONCE = 1 << 20  # numbers


def in_bytes(source: bytes) -> bytes:
    """The same picture in 8 bits and binary, or the file itself where that is quick, or not to be understood."""
    found = _HEADER.match(source, 0, 1 << 12) if len(source) > _SMALL else None
    if found is None:
        return source
    kind, width, height, top = map(int, found.groups())
    binary, channels = kind in (5, 6), 3 if kind in (3, 6) else 1
    count = width * height * channels
    if not 0 < top < 1 << 16 or count == 0 or (binary and top == 255):
        return source
    import numpy as np

    if binary:
        deep = np.dtype(">u2" if top > 255 else "u1")
        if len(source) < found.end() + count * deep.itemsize:
            return source
        numbers = np.frombuffer(source, deep, count, found.end())
    else:
        plain = _in_text(source[found.end() :])
        if plain is None or len(plain) != count or plain.max() > top or plain.min() < 0:
            return source
        numbers = plain
    pixels = np.empty(count, np.uint8)
    for at in range(0, count, _AT_ONCE):  # no second picture of four times the size
        part = np.minimum(numbers[at : at + _AT_ONCE].astype(np.uint32), top)
        pixels[at : at + _AT_ONCE] = (part * 255 + top // 2) // top
    return b"P%d\n%d %d\n255\n" % (6 if channels == 3 else 5, width, height) + pixels.tobytes()


def _in_text(text: bytes) -> NDArray[np.int32] | None:
    """The numbers of a text; None where it holds anything else."""
    import numpy as np

    text = _COMMENT.sub(b" ", text) if b"#" in text else text
    if text.translate(None, b"0123456789 \t\r\n\v\f"):
        return None
    try:
        return np.fromstring(text.decode("ascii"), np.int32, sep=" ")
    except ValueError:
        return None
