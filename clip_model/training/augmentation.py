"""Random crops, flips, brightness and contrast of a training batch; every draw comes from the generator given.

Legend: n photos, b batch, s side in pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from clip_model.preprocessing.transforms import MEAN, STD, Color


def augment(
    pixels: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    image_size: int,
    rng: np.random.Generator,
    *,
    jitter: float,
    smallest_crop: float,
    mean: Color = MEAN,
    std: Color = STD,
) -> Tensor:
    """Random crop (one scale a batch, its own place for each photo), flip, brightness and contrast.

    Returns:
        (b, 3, image_size, image_size) float32, normalised, channels last.
    """
    side = pixels.shape[1]
    crop = int(rng.integers(round(side * smallest_crop), side + 1))
    corners = rng.integers(0, side - crop + 1, (len(chosen), 2))
    flips = rng.random(len(chosen)) < 0.5
    crops = np.empty((len(chosen), crop, crop, 3), dtype=np.uint8)
    for out, row, (y, x), flip in zip(crops, chosen, corners, flips, strict=True):
        part = pixels[row, y : y + crop, x : x + crop]
        out[:] = part[:, ::-1] if flip else part
    x = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(255)  # [b, 3, crop, crop], channels last
    if crop != image_size:
        x = F.interpolate(x, image_size, mode="bilinear", antialias=crop > image_size)
    change = torch.from_numpy(rng.uniform(1 - jitter, 1 + jitter, (2, len(chosen), 1, 1, 1))).float()
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    x = ((x - middle) * change[0] + middle * change[1]).clamp_(0, 1)
    x = (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    return x.contiguous(memory_format=torch.channels_last)
