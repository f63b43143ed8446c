"""Whether an 8-bit tower computes what the network does: the cosines of drawn pictures' embeddings.

Legend: n pictures, s side in pixels, d dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from clip_model.config import VisionConfig
from clip_model.preprocessing.transforms import ImageTransform

Tower = Callable[[Tensor], Tensor]
LEAST_COSINE: Final = 0.99
PICTURES: Final = 8
_CELLS = (1, 2, 4, 16, 64, 0)  # of a picture's side: from one colour to one for each pixel, which 0 is


def drawn_pixels(vision: VisionConfig) -> Tensor:
    """Pictures of coarse and fine colours, the same ones always: (n, 3, s, s) float32, normalised as photos are."""
    transform = ImageTransform(vision.image_size, vision.mean, vision.std, vision.resize)
    draw = np.random.default_rng(0)
    pictures = []
    for number in range(PICTURES):
        cells = _CELLS[number % len(_CELLS)] or vision.image_size
        colours = Image.fromarray(draw.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        smooth = Image.Resampling.NEAREST if number % 2 else Image.Resampling.BICUBIC
        pictures.append(transform(colours.resize((vision.image_size, vision.image_size), smooth)))
    return torch.stack(pictures)


def least_cosine(got: Tensor, expected: Tensor) -> float:
    """Of the embeddings that stand in the same row: (n, d), (n, d) -> a cosine; -1 where a feature is not finite."""
    cosines = (F.normalize(got.float(), dim=-1) * F.normalize(expected.float(), dim=-1)).sum(dim=-1)
    return float(cosines.min()) if torch.isfinite(cosines).all() else -1.0


def least_of(graph: Tower, tower: Tower, pixels: Tensor) -> float:
    """Of the embeddings of pictures by two towers, (n, 3, s, s) at once and the first alone; -1 where shapes differ."""
    with torch.inference_mode():
        expected, together, alone = tower(pixels), graph(pixels), graph(pixels[:1])
    if together.shape != expected.shape or alone.shape != expected[:1].shape:
        return -1.0
    return min(least_cosine(together, expected), least_cosine(alone, expected[:1]))


def check(graph: Tower, tower: Tower, pixels: Tensor) -> float:
    """The least cosine of a graph's features with those of the network in float32, see `least_of`.

    Raises:
        ValueError: if it is below `LEAST_COSINE`; the message has the number.
    """
    least = least_of(graph, tower, pixels)
    if least < LEAST_COSINE:
        raise ValueError(
            f"precision 'int8' is refused for this model on this machine: embeddings of {PICTURES} drawn pictures have "
            f"a cosine to those in fp32 of {least:.4f} at least, and {LEAST_COSINE} is needed; let the precision be "
            f"'auto'"
        )
    return least
