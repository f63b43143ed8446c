"""The one path from a PIL image to the tensor that the network sees: resize, centre crop, RGB, normalise.

It equals open_clip's evaluation transform, which expects an upright picture: `upright` makes one where whoever
decoded the photo has not. It doesn't open files. Random crops for training stand in data.py.
Legend: s = image size in pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

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
Pixels = Tensor | NDArray[np.float32]


class ImageTransform:
    """Turn a picture into the input of an image tower; safe to call from several threads at once.

    Args:
        image_size: height and width of the result in pixels.
        mean: of red, green, blue in [0, 1], as the model's configuration says.
        std: their deviation.
        resize: how a picture becomes a square, likewise.

    Raises:
        ValueError: if the size is not positive.
    """

    def __init__(self, image_size: int, mean: Color = MEAN, std: Color = STD, resize: str = "crop") -> None:
        if image_size < 1:
            raise ValueError(f"image_size must be at least 1 pixel, got {image_size}")
        self.image_size = image_size
        self._square = CenterSquare(image_size, resize)
        self.mean, self.std = mean, std

    def __call__(self, image: Image.Image) -> Tensor:
        """Return (3, s, s) float32, normalised, of an upright picture of any mode."""
        return self.normalize(self._square(image))

    def normalize(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Turn (s, s, 3) bytes, RGB, into (3, s, s) float32 with the model's mean and deviation."""
        return normalize(pixels, self.mean, self.std)


def normalize_batch(squares: Tensor, mean: Color = MEAN, std: Color = STD) -> Tensor:
    """Turn (b, s, s, 3) bytes into what `normalize` gives for each, (b, 3, s, s) float32, on the device where they are.

    On a CPU not a bit differs from `normalize`.
    """
    planes = squares.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    # Tensors, not numbers: torch multiplies by the inverse of a number, which rounds otherwise.
    whole, centre, spread = (
        torch.tensor(color, dtype=torch.float32, device=squares.device).view(3, 1, 1)
        for color in ((255,) * 3, mean, std)
    )
    return planes.div_(whole).sub_(centre).div_(spread)


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


def stack_pixels(pixels: Pixels | Sequence[Pixels], size: int) -> Tensor:
    """Make one (n, 3, s, s) tensor of normalised pixels, s being `size`; n may be 0.

    Raises:
        ValueError: if the shape is another.
    """
    if isinstance(pixels, (Tensor, np.ndarray)):
        stacked = torch.as_tensor(pixels)
    else:
        stacked = torch.stack([torch.as_tensor(one) for one in pixels]) if len(pixels) else torch.empty(0)
    if len(stacked) and stacked.shape[1:] != (3, size, size):
        raise ValueError(f"expected pixels of shape (n, 3, {size}, {size}), got {tuple(stacked.shape)}")
    return stacked


def stack_squares(squares: Sequence[NDArray[np.uint8]], size: int) -> Tensor:
    """Make one (n, s, s, 3) tensor of bytes, s being `size`; n may be 0.

    Raises:
        ValueError: if one has another shape, or other numbers than bytes.
    """
    for square in squares:
        if square.shape != (size, size, 3) or square.dtype != np.uint8:
            raise ValueError(f"expected bytes of shape ({size}, {size}, 3), got {square.dtype} of shape {square.shape}")
    return torch.from_numpy(np.stack(squares)) if len(squares) else torch.empty(0, size, size, 3, dtype=torch.uint8)
