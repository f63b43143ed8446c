"""Photos decoded once and kept on a device, and random crops of them made there.

A photo is kept whole, squeezed into a square with its aspect beside it: a crop then is one affine map, whatever the
photo's shape. Crops are sampled bilinearly without smoothing first, so that a crop should not shrink by much. It
knows no texts.

Legend: n photos, b batch, s side of what is kept, t side of a crop, both in pixels.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from clip_model.preprocessing.transforms import upright

logger = logging.getLogger(__name__)

MOST_ASPECT = 4 / 3  # of a random crop, in pixels of the photo
GRAY = (0.299, 0.587, 0.114)  # luma, ITU-R BT.601


@dataclass(frozen=True)
class Canvas:
    """Decoded photos.

    Attributes:
        pixels: (n, 3, s, s) uint8, on a device.
        aspects: (n,) width by height.
        decoded: (n,) bool; what could not be decoded is black.
    """

    pixels: Tensor
    aspects: NDArray[np.float64]
    decoded: NDArray[np.bool_]


@dataclass(frozen=True)
class Changes:
    """How much a random crop may differ from its photo.

    Attributes:
        smallest_area: of a crop, as a share of the photo.
        jitter: largest relative change of brightness, contrast and saturation.
        gray: how often a crop loses its colours.
    """

    smallest_area: float = 0.35
    jitter: float = 0.3
    gray: float = 0.1


def read_canvas(paths: Sequence[Path], side: int, *, device: str = "cpu", workers: int = 2) -> Canvas:
    """Decode the column `image` of Parquet shards, one after another.

    Args:
        paths: the shards.
        side: s.
        device: where the pixels are kept.
        workers: decoding threads.

    Raises:
        ValueError: if no picture can be decoded.
    """
    from pyarrow import parquet

    files = [data for path in paths for data in parquet.read_table(path, columns=["image"])["image"].to_pylist()]
    pixels = torch.zeros((len(files), 3, side, side), dtype=torch.uint8, device=device)
    aspects, decoded = np.ones(len(files)), np.zeros(len(files), dtype=bool)

    def decode(i: int) -> None:
        try:
            with Image.open(io.BytesIO(files[i])) as image:
                photo = upright(image).convert("RGB")
                squeezed = np.asarray(photo.resize((side, side), Image.Resampling.BICUBIC))
        except Exception as error:  # decoders raise whatever they like
            logger.warning("left out photo %d of the shards, from 1: %s", i + 1, error)
            return
        pixels[i] = torch.from_numpy(squeezed.transpose(2, 0, 1).copy()).to(device)
        aspects[i], decoded[i] = photo.width / photo.height, True

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(decode, range(len(files))))
    if not decoded.any():
        raise ValueError(f"none of {len(files)} pictures can be decoded; are these the right files?")
    return Canvas(pixels, aspects, decoded)


def middles(canvas: Canvas, chosen: NDArray[np.int64], size: int) -> Tensor:
    """(b, 3, t, t) float in [0, 1]: the middle square of each photo."""
    across, down = np.minimum(1, 1 / canvas.aspects[chosen]), np.minimum(1, canvas.aspects[chosen])
    return _sample(canvas, chosen, across, down, (1 - across) / 2, (1 - down) / 2, size)


def crops(canvas: Canvas, chosen: NDArray[np.int64], size: int, changes: Changes, rng: np.random.Generator) -> Tensor:
    """(b, 3, t, t) float in [0, 1]: a random crop of each photo, flipped one time in two, its colours changed."""
    count = len(chosen)
    area, aspect = rng.uniform(changes.smallest_area, 1, count), MOST_ASPECT ** rng.uniform(-1, 1, count)
    aspect = aspect / canvas.aspects[chosen]  # of the crop on the squeezed photo
    across, down = np.minimum(1, np.sqrt(area * aspect)), np.minimum(1, np.sqrt(area / aspect))
    left, top = rng.uniform(0, 1 - across), rng.uniform(0, 1 - down)
    flipped = rng.random(count) < 0.5  # a flip runs from the right edge to the left
    x = _sample(canvas, chosen, np.where(flipped, -across, across), down, np.where(flipped, left + across, left), top,
                size)  # fmt: skip
    return _changed_colors(x, changes, rng)


def _sample(
    canvas: Canvas,
    chosen: NDArray[np.int64],
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    left: NDArray[np.float64],
    top: NDArray[np.float64],
    size: int,
) -> Tensor:
    """The boxes, in shares of the squeezed photo, as (b, 3, size, size) in [0, 1]."""
    theta = np.zeros((len(chosen), 2, 3), dtype=np.float32)
    theta[:, 0, 0], theta[:, 0, 2] = across, 2 * left + across - 1
    theta[:, 1, 1], theta[:, 1, 2] = down, 2 * top + down - 1
    device = canvas.pixels.device
    photos = canvas.pixels[torch.from_numpy(chosen).to(device)].float() / 255  # [b, 3, s, s]
    grid = F.affine_grid(torch.from_numpy(theta).to(device), [len(chosen), 3, size, size], align_corners=False)
    return F.grid_sample(photos, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _changed_colors(x: Tensor, changes: Changes, rng: np.random.Generator) -> Tensor:
    """Contrast and brightness around the mean, saturation around the luma, some without colours."""
    count, jitter = len(x), changes.jitter
    drawn = torch.from_numpy(rng.uniform(1 - jitter, 1 + jitter, (3, count, 1, 1, 1))).to(x)
    contrast, brightness, saturation = drawn
    saturation = torch.where(torch.from_numpy(rng.random((count, 1, 1, 1)) < changes.gray).to(x.device), 0, saturation)
    gray = (x * torch.tensor(GRAY).to(x).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    x = gray + (x - gray) * saturation
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    changed: Tensor = ((x - middle) * contrast + middle * brightness).clamp(0, 1)
    return changed
