"""FastViT, the image tower of MobileCLIP's S models: stages of mixing blocks, then of attending ones, and a projection.

Vasu et al. 2023 (arXiv 2303.14189), in the form that Vasu et al. 2024 (arXiv 2311.17049, section 4) and Faghri et al.
2025 (arXiv 2508.20691, section 4) give it. Names of parameters are those that timm gives them below its trunk, so that
what is published loads without renaming.

Legend: b batch, c channels, h w grid, e dimension of the shared space.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from clip_model.mobile.blocks import AttendingBlock, MixingBlock, PositionConv
from clip_model.mobile.branches import Branched, LargeKernel
from clip_model.mobile.kinds import DEEP, FIRST_ATTENTION, FIRST_SQUEEZE


class Downsampling(nn.Module):
    """Half of the grid's side, twice the channels."""

    def __init__(self, channels: int, squeezes: bool) -> None:
        """`channels` in."""
        super().__init__()
        self.proj = nn.Sequential(LargeKernel(channels, squeezes), Branched(2 * channels, 2 * channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, 2c, ceil(h / 2), ceil(w / 2))."""
        smaller: Tensor = self.proj(x)
        return smaller


class Stage(nn.Module):
    """A downsampling, but for the first stage; positions, where its blocks attend; and its blocks."""

    def __init__(self, number: int, depth: int, channels: int, inner: int, head_width: int, deep: bool) -> None:
        """`number` from 0 on; `channels` out, `inner` inside the MLPs."""
        super().__init__()
        squeezes, attends = number >= FIRST_SQUEEZE and not deep, number >= FIRST_ATTENTION
        self.downsample = Downsampling(channels // 2, squeezes) if number else nn.Identity()
        self.pos_emb = PositionConv(channels) if attends else nn.Identity()
        blocks = (
            AttendingBlock(channels, inner, head_width, deep) if attends else MixingBlock(channels, inner)
            for _ in range(depth)
        )
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, channels, h, w), the sides halved but in the first stage."""
        out: Tensor = self.blocks(self.pos_emb(self.downsample(x)))
        return out


class FastViT(nn.Module):
    """The image tower."""

    def __init__(
        self, kind: str, depths: tuple[int, ...], width: int, embed_dim: int, *, inner: int = 0, head_width: int = 32
    ) -> None:
        """`inner` channels inside the MLPs of the first stage, 0 for four times the width; see `VisionConfig`."""
        super().__init__()
        deep, inner = kind == DEEP, inner or 4 * width
        self.stem = nn.Sequential(
            Branched(3, width, 3, stride=2, scales=not deep),
            Branched(width, width, 3, stride=2, groups=width, scales=not deep),
            Branched(width, width, 1),
        )
        self.stages = nn.Sequential(
            *(Stage(i, depth, width * 2**i, inner * 2**i, head_width, deep) for i, depth in enumerate(depths))
        )
        last = width * 2 ** (len(depths) - 1)
        self.final_conv = Branched(last, 2 * last, 3, groups=last, squeezes=True)
        self.head = nn.Sequential(OrderedDict(fc=nn.Linear(2 * last, embed_dim)))

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: (b, 3, h, w) float, normalised.

        Returns:
            (b, e) float, raw features.
        """
        features: Tensor = self.head(self.grid(images).mean(dim=(2, 3)))  # [b, e]
        return features

    def grid(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) -> (b, c, h / 32, w / 32), or / 64 of five stages: all but the mean and the projection."""
        grid: Tensor = self.final_conv(self.stages(self.stem(images)))
        return grid
