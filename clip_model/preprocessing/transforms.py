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

from clip_model.config import OPENAI_MEAN, OPENAI_STD
from clip_model.preprocessing.squares import CenterSquare
from clip_model.preprocessing.squares import center_square as center_square

MEAN, STD = OPENAI_MEAN, OPENAI_STD
Color = tuple[float, float, float]


class ImageTransform:
    """Turn a picture into the input of an image tower; safe to call from several threads at once.

    Args:
        image_size: height and width of the result in pixels.
        mean: of red, green, blue in [0, 1], as the model's configuration says.
        std: their deviation.

    Raises:
        ValueError: if the size is not positive.
    """

    def __init__(self, image_size: int, mean: Color = MEAN, std: Color = STD) -> None:
        if image_size < 1:
            raise ValueError(f"image_size must be at least 1 pixel, got {image_size}")
        self.image_size = image_size
        self._square = CenterSquare(image_size)
        self._mean, self._std = mean, std

    def __call__(self, image: Image.Image) -> Tensor:
        """Return (3, s, s) float32, normalised, of an upright picture of any mode."""
        return self.normalize(self._square(image))

    def normalize(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Turn (s, s, 3) bytes, RGB, into (3, s, s) float32 with the model's mean and deviation."""
        return normalize(pixels, self._mean, self._std)


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


def normalize(pixels: NDArray[np.uint8], mean: Color = MEAN, std: Color = STD) -> Tensor:
    """Turn (s, s, 3) bytes into (3, s, s) float32 with a mean and a deviation, by default those of OpenAI's CLIP."""
    # The same operations in the same order as the reference, so that not even the last bit differs.
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    planes /= np.float32(255)
    planes -= np.asarray(mean, dtype=np.float32)[:, None, None]
    planes /= np.asarray(std, dtype=np.float32)[:, None, None]
    return torch.from_numpy(planes)
