"""The square that an image tower sees of a picture, in bytes: cut or squashed with Pillow, not yet normalised.

Imports no torch, and NumPy where an array is made: processes that only decode pictures start fast and stay small.
transforms.py does the rest.
Legend: s = image size in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FILTERS = {"": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_MAX_ASPECT = 64  # a longer strip is resized only where the crop falls: 1 x 60,000 pixels would fill gigabytes


@dataclass(frozen=True)
class CenterSquare:
    """Makes the square of a picture; can be pickled, and called from several threads at once.

    Attributes:
        size: height and width of the square in pixels.
        resize: how, as a `VisionConfig` says it.
    """

    size: int
    resize: str = "crop"

    def __call__(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return (s, s, 3) bytes, RGB, of an upright picture of any mode."""
        import numpy as np

        return np.asarray(self.picture(image))

    def picture(self, image: Image.Image) -> Image.Image:
        """The same as a picture, for processes that only decode: they import no NumPy."""
        how, _, by = self.resize.partition("-")
        if how == "crop":
            square = center_square(image, self.size, _FILTERS[by])
        else:  # transformers, whose way is "squash", makes it RGB first, and open_clip afterwards
            square = (image.convert("RGB") if how == "squash" else image).resize((self.size, self.size), _FILTERS[by])
        return square.convert("RGB")


def center_square(image: Image.Image, size: int, by: Image.Resampling = Image.Resampling.BICUBIC) -> Image.Image:
    """Scale the shorter side to `size` with an anti-aliased filter and cut the middle out of the longer."""
    width, height = image.size
    short = min(width, height)
    scaled = (size * width // short, size * height // short)
    left, top = (round((side - size) / 2) for side in scaled)
    if max(image.size) > _MAX_ASPECT * short:
        return _strip_center(image, size, (width / scaled[0], height / scaled[1]), (left, top), by)
    if scaled != image.size:
        image = image.resize(scaled, by)
    return image.crop((left, top, left + size, top + size))


def _strip_center(
    image: Image.Image, size: int, scale: tuple[float, float], corner: tuple[int, int], by: Image.Resampling
) -> Image.Image:
    """Resize only the part of a strip that the crop at `corner` of the scaled picture shows.

    Pillow swaps the order of its two passes for a whole picture that shrinks and is over 100 times as high as wide;
    there, and only there, rounding differs from the reference.
    """
    # Two pixels (of the coarser grid) each side reach into a bicubic sample, and one into a bilinear one; the rest of
    # the strip doesn't matter.
    margin = 2 * math.ceil(max(1, *scale)) + 2
    low = [max(0, int(at * step) - margin) for at, step in zip(corner, scale, strict=True)]
    high = [
        min(side, math.ceil((at + size) * step) + margin)
        for side, at, step in zip(image.size, corner, scale, strict=True)
    ]
    near = image.crop((low[0], low[1], high[0], high[1]))
    start = [at * step - edge for at, step, edge in zip(corner, scale, low, strict=True)]
    stop = [min(near.size[i], start[i] + size * scale[i]) for i in (0, 1)]
    return near.resize((size, size), by, box=(start[0], start[1], stop[0], stop[1]))
