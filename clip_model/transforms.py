"""The one path from a PIL image to the tensor that the network sees: resize, centre crop, RGB, normalise.

It equals open_clip's evaluation transform, which expects an upright picture: `upright` makes one where whoever
decoded the photo has not. It doesn't open files. Random crops for training stand in data.py.
Legend: s = image size in pixels.
"""

from __future__ import annotations

import math
import struct

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of red, green, blue over the training pictures of OpenAI's CLIP, in [0, 1]."""
STD = (0.26862954, 0.26130258, 0.27577711)
"""Their standard deviation."""

_MAX_ASPECT = 64  # a longer strip is resized only where the crop falls: 1 x 60,000 pixels would fill gigabytes


class ImageTransform:
    """Turn a picture into the input of an image tower; safe to call from several threads at once.

    Args:
        image_size: height and width of the result in pixels.

    Raises:
        ValueError: if the size is not positive.
    """

    def __init__(self, image_size: int) -> None:
        if image_size < 1:
            raise ValueError(f"image_size must be at least 1 pixel, got {image_size}")
        self.image_size = image_size

    def __call__(self, image: Image.Image) -> Tensor:
        """Return (3, s, s) float32, normalised, of an upright picture of any mode."""
        square = center_square(image, self.image_size).convert("RGB")
        return normalize(np.asarray(square))


def image_transform(image_size: int) -> ImageTransform:
    """Return the transform for an image tower of that input size."""
    return ImageTransform(image_size)


def upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF orientation says, if it has a readable one."""
    try:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return ImageOps.exif_transpose(image) if turned else image
    except (SyntaxError, struct.error, ValueError, TypeError, KeyError, OverflowError):  # what Pillow lets through
        return image


def center_square(image: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to `size` with an anti-aliased bicubic filter and cut the middle out of the longer."""
    width, height = image.size
    short = min(width, height)
    scaled = (size * width // short, size * height // short)
    left, top = (round((side - size) / 2) for side in scaled)
    if max(image.size) > _MAX_ASPECT * short:
        return _strip_center(image, size, (width / scaled[0], height / scaled[1]), (left, top))
    if scaled != image.size:
        image = image.resize(scaled, Image.Resampling.BICUBIC)
    return image.crop((left, top, left + size, top + size))


def _strip_center(image: Image.Image, size: int, scale: tuple[float, float], corner: tuple[int, int]) -> Image.Image:
    """Resize only the part of a strip that the crop at `corner` of the scaled picture shows.

    Pillow swaps the order of its two passes for a whole picture that shrinks and is over 100 times as high as wide;
    there, and only there, rounding differs from the reference.
    """
    # Two pixels (of the coarser grid) each side reach into a bicubic sample; the rest of the strip doesn't matter.
    margin = 2 * math.ceil(max(1, *scale)) + 2
    low = [max(0, int(at * step) - margin) for at, step in zip(corner, scale, strict=True)]
    high = [
        min(side, math.ceil((at + size) * step) + margin)
        for side, at, step in zip(image.size, corner, scale, strict=True)
    ]
    near = image.crop((low[0], low[1], high[0], high[1]))
    start = [at * step - edge for at, step, edge in zip(corner, scale, low, strict=True)]
    stop = [min(near.size[i], start[i] + size * scale[i]) for i in (0, 1)]
    return near.resize((size, size), Image.Resampling.BICUBIC, box=(start[0], start[1], stop[0], stop[1]))


def normalize(pixels: NDArray[np.uint8]) -> Tensor:
    """Turn (s, s, 3) bytes into (3, s, s) float32 with the mean and deviation of CLIP's training pictures."""
    # The same operations in the same order as the reference, so that not even the last bit differs.
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    planes /= np.float32(255)
    planes -= np.asarray(MEAN, dtype=np.float32)[:, None, None]
    planes /= np.asarray(STD, dtype=np.float32)[:, None, None]
    return torch.from_numpy(planes)
