"""The blocks of a FastViT: mixing by a convolution or by attention, then an MLP after a wide depthwise convolution.

Vasu et al. 2023 (arXiv 2303.14189), section 3. Names of parameters are those that timm gives them.

Legend: b batch, c channels, h w grid, s positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clip_model.mobile.branches import Branch, Branched

_INITIAL_SCALE = 1e-5  # of what a block adds, when training begins


class LayerScale(nn.Module):
    """A factor for each channel."""

    def __init__(self, channels: int) -> None:
        """Small at first, so that a block begins as the identity."""
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels, 1, 1), _INITIAL_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        return x * self.gamma


class ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of each cell."""

    def forward(self, input: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvMlp(nn.Module):
    """A depthwise convolution of seven pixels, then two layers on each cell, wider in between."""

    def __init__(self, channels: int, inner: int) -> None:
        """`channels` in and out, `inner` in between."""
        super().__init__()
        self.conv = Branch(channels, channels, 7, groups=channels)
        self.fc1, self.act, self.fc2 = nn.Conv2d(channels, inner, 1), nn.GELU(), nn.Conv2d(inner, channels, 1)
        for layer in (self.conv.conv, self.fc1, self.fc2):
            nn.init.normal_(layer.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        out: Tensor = self.fc2(self.act(self.fc1(self.conv(x))))
        return out


class RepMixer(nn.Module):
    """Neighbours mixed without a shortcut: x + scale * (convolved - normalised), which is one depthwise convolution."""

    def __init__(self, channels: int) -> None:
        """`channels` in and out."""
        super().__init__()
        sides = {"groups": channels, "activates": False}
        self.norm = Branched(channels, channels, 3, groups=channels, convolves=False, scales=False, activates=False)
        self.mixer = Branched(channels, channels, 3, **sides)  # type: ignore[arg-type]
        self.layer_scale = LayerScale(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        mixed: Tensor = x + self.layer_scale(self.mixer(x) - self.norm(x))
        return mixed


class MixingBlock(nn.Module):
    """A RepMixer and an MLP, the latter added to its input."""

    def __init__(self, channels: int, inner: int) -> None:
        """`channels` in and out, `inner` inside the MLP."""
        super().__init__()
        self.token_mixer = RepMixer(channels)
        self.mlp = ConvMlp(channels, inner)
        self.layer_scale = LayerScale(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        x = self.token_mixer(x)
        out: Tensor = x + self.layer_scale(self.mlp(x))
        return out


class GridAttention(nn.Module):
    """Multi-head self-attention among the cells of a grid."""

    def __init__(self, channels: int, head_width: int) -> None:
        """`channels` in and out, `head_width` of them in a head."""
        super().__init__()
        self.heads = channels // head_width
        self.qkv, self.proj = nn.Linear(channels, 3 * channels, bias=False), nn.Linear(channels, channels)
        for layer in (self.qkv, self.proj):
            nn.init.normal_(layer.weight, std=0.02)
        nn.init.zeros_(self.proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        b, c, h, w = x.shape
        qkv = self.qkv(x.permute(0, 2, 3, 1).reshape(b, h * w, c))  # [b, s, 3c]
        q, k, v = qkv.view(b, h * w, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)  # [b, heads, s, c/heads]
        y = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(y.transpose(1, 2).reshape(b, h, w, c))
        return out.permute(0, 3, 1, 2)


class AttendingBlock(nn.Module):
    """Attention and an MLP, each scaled and added to its input."""

    def __init__(self, channels: int, inner: int, head_width: int, layer_norm: bool) -> None:
        """`inner` channels inside the MLP; the norm before attention is a batch norm, or a layer norm."""
        super().__init__()
        self.norm: nn.Module = ChannelNorm(channels) if layer_norm else nn.BatchNorm2d(channels)
        self.token_mixer = GridAttention(channels, head_width)
        self.layer_scale_1 = LayerScale(channels)
        self.mlp = ConvMlp(channels, inner)
        self.layer_scale_2 = LayerScale(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        x = x + self.layer_scale_1(self.token_mixer(self.norm(x)))
        out: Tensor = x + self.layer_scale_2(self.mlp(x))
        return out


class PositionConv(nn.Module):
    """Where a cell is, told by a depthwise convolution that is added (Chu et al. 2021, arXiv 2102.10882)."""

    def __init__(self, channels: int) -> None:
        """`channels` in and out."""
        super().__init__()
        self.pos_enc = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        placed: Tensor = x + self.pos_enc(x)
        return placed
