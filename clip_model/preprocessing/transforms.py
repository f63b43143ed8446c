"""The one path from a PIL image to the tensor that the network sees: resize, centre crop, RGB, normalise.

It equals open_clip's evaluation transform, which expects an upright picture: `upright` makes one where whoever
decoded the photo has not. It doesn't open files. Random crops for training stand in data.py.
Legend: s = image size in pixels.
"""

from __future__ import annotations

import struct

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from clip_model.preprocessing.squares import CenterSquare
from clip_model.preprocessing.squares import center_square as center_square

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of red, green, blue over the training pictures of OpenAI's CLIP, in [0, 1]."""
STD = (0.26862954, 0.26130258, 0.27577711)
"""Their standard deviation."""


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
        self._square = CenterSquare(image_size)

    def __call__(self, image: Image.Image) -> Tensor:
        """Return (3, s, s) float32, normalised, of an upright picture of any mode."""
        return normalize(self._square(image))


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


def normalize(pixels: NDArray[np.uint8]) -> Tensor:
    """Turn (s, s, 3) bytes into (3, s, s) float32 with the mean and deviation of CLIP's training pictures."""
    # The same operations in the same order as the reference, so that not even the last bit differs.
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    planes /= np.float32(255)
    planes -= np.asarray(MEAN, dtype=np.float32)[:, None, None]
    planes /= np.asarray(STD, dtype=np.float32)[:, None, None]
    return torch.from_numpy(planes)
