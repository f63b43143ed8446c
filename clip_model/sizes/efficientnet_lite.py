"""How wide and deep an EfficientNet-Lite is (Tan and Le 2019, arXiv 1905.11946), in plain numbers, without torch."""

from __future__ import annotations

import math
from collections.abc import Iterator

from clip_model.config import VARIANTS

STEM, FEATURES = 32, 1280
POOLING_HEADS = 8
# Kernel, stride, expansion, channels, depth of each stage of lite0: table 1 of the paper without its first line.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


def blocks(variant: str) -> Iterator[tuple[int, int, int, int, int]]:
    """Channels in and out, kernel, stride and expansion of each block."""
    width, depth = VARIANTS[variant]
    channels = STEM
    for number, (kernel, stride, expansion, channels_out, repeats) in enumerate(STAGES):
        out = round_channels(channels_out * width)
        if 0 < number < len(STAGES) - 1:  # the first and the last stage keep their depth in all sizes
            repeats = math.ceil(repeats * depth)
        for repeat in range(repeats):
            yield channels, out, kernel, 1 if repeat else stride, expansion
            channels = out


def round_channels(channels: float) -> int:
    """To the nearest multiple of eight, but never down by more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
