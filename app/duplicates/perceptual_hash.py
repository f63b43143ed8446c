"""What is compared of a picture besides its vector: a hash of how it looks, how much it shows, how sharp it is. Pure.

The hash is the DCT hash of Zauner 2010 (Implementation and benchmarking of perceptual image hash functions, section
3.2.1): 64 bits, each says whether one of the lowest frequencies is above their median. `imagehash` has it too, but
brings SciPy and PyWavelets along, 100 MB for two matrix products. Pictures are (h, w) grey, 0 to 255.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

BITS = 64
_SIDE = 32  # pixels of the square that is transformed
_FREQUENCIES = 8  # in each direction, above the constant one


class Look(NamedTuple):
    """What is known of how a picture looks.

    Attributes:
        bits: the hash, 64 bits; pictures alike differ in few of them.
        detail: mean amount of its 64 frequencies; of a blank picture, whose hash is noise, it is near 0.
        sharpness: of edges, whatever their contrast; comparable between pictures of the same thing.
    """

    bits: int
    detail: float
    sharpness: float


def look_of(thumbnail: Image.Image) -> Look:
    """The look of an upright picture of any size; a few hundred pixels are enough."""
    from PIL import Image

    grey = thumbnail.convert("L")
    small = grey.resize((_SIDE, _SIDE), Image.Resampling.BOX)  # the mean of each cell, as its low-pass does
    rows = _cosines()
    amounts = rows @ np.asarray(small, np.float64) @ rows.T  # [8, 8]
    above = amounts > np.median(amounts)
    bits = int.from_bytes(np.packbits(above.ravel()).tobytes(), "big")
    return Look(bits, float(np.abs(amounts).mean()), sharpness(np.asarray(grey, np.float32)))


def sharpness(grey: NDArray[np.float32]) -> float:
    """The variance of the Laplacian, in units of that of the picture itself, so that contrast alone makes no edge.

    Source: Pech-Pacheco et al. 2000, Diatom autofocusing in brightfield microscopy.
    """
    if min(grey.shape) < 3:
        return 0.0
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return float(laplacian.var() / max(float(middle.var()), 1.0))


def signs(bits: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Hashes (n,) as rows of 1 and -1, (n, 64): the product of two is 64 less twice the number of bits that differ."""
    unpacked = np.unpackbits(bits.astype(">u8").view(np.uint8).reshape(len(bits), 8), axis=1)
    return unpacked.astype(np.float32) * 2 - 1


def _cosines() -> NDArray[np.float64]:
    """The lowest rows of the discrete cosine transform (DCT-II) but the constant one: (8, 32)."""
    places = (2 * np.arange(_SIDE) + 1) / (2 * _SIDE)
    return np.cos(np.pi * np.outer(np.arange(1, _FREQUENCIES + 1), places))
