"""Videos that the tests draw themselves."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)
Colour = tuple[int, int, int]


def draw_video(
    path: Path,
    seconds: Sequence[Colour | np.ndarray],
    *,
    pixel: Fraction = Fraction(1),
    size: tuple[int, int] = (96, 64),
    keys: int = 12,
    codec: str = "mpeg4",
    rate: int = 5,
    header: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A video that shows each colour, or picture (h, w, 3), for a second; a key frame comes every `keys` frames."""
    with av.open(str(path), "w", options=options or {}) as container:
        container.metadata.update(header or {})
        stream = container.add_stream(codec, rate=rate)
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        stream.gop_size = keys
        stream.codec_context.sample_aspect_ratio = pixel
        for shown in seconds:
            whole = np.full((size[1], size[0], 3), shown, np.uint8) if isinstance(shown, tuple) else shown
            for _ in range(rate):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(whole), "rgb24")))
        container.mux(stream.encode(None))
    return path


def turn(path: Path, degrees: int) -> None:
    """Have an MP4 say that players turn it clockwise by 90, 180 or 270 degrees."""
    source = bytearray(path.read_bytes())
    at = source.index(b"tkhd") + 4
    at += (4 + 4 * 5 + 8 if source[at] == 0 else 4 + 8 * 2 + 8 + 8) + 8  # up to the matrix
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    struct.pack_into(">9i", source, at, a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(source)
