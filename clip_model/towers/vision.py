"""The paper's two image towers: VisionTransformer and ModifiedResNet with attention pooling.

Each turns normalised pixels into raw features of the shared space; nothing here normalises them to unit length.

Legend: b batch, c channels, h w grid, s positions, d channels of a position, e dimension of the shared space.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clip_model.config import PROBE, VARIANTS, CLIPConfig
from clip_model.mobile.branches import ConvStem
from clip_model.mobile.fastvit import FastViT
from clip_model.mobile.kinds import STAGES, STEM
from clip_model.towers.efficientnet import EfficientNetLite
from clip_model.towers.patches import patches_of
from clip_model.towers.siglip import SiglipImageTower
from clip_model.towers.transformer import Transformer

_STEM_EPSILON = 1e-6  # of the layer norms of MobileCLIP-B


class VisionTransformer(nn.Module):
    """Patches, a class token, a transformer, and a projection (section 2.4 of the paper).

    With a `variant` it is one of MobileCLIP's: its projection has a bias, and of "vit-stem" convolutions make the
    patches, which alone have positions, and no norm comes before the blocks.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        width: int,
        layers: int,
        heads: int,
        embed_dim: int,
        quick_gelu: bool,
        inner: int = 0,
        variant: str | None = None,
    ) -> None:
        """Sizes in pixels; see `VisionConfig`."""
        super().__init__()
        scale, patches, stem = width**-0.5, (image_size // patch_size) ** 2, variant == STEM
        side, epsilon = patch_size, _STEM_EPSILON if stem else 1e-5
        self.conv1 = ConvStem(width) if stem else nn.Conv2d(3, width, kernel_size=side, stride=side, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(patches if stem else patches + 1, width))
        self.ln_pre = nn.Identity() if stem else nn.LayerNorm(width)
        self.transformer = Transformer(
            width, layers, heads, quick_gelu and variant is None, inner=inner, scaled=False, epsilon=epsilon
        )
        self.ln_post = nn.LayerNorm(width, eps=epsilon)
        self.proj = nn.Parameter(scale * torch.randn(width, embed_dim))
        self.proj_bias = nn.Parameter(torch.zeros(embed_dim)) if variant is not None else None

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: (b, 3, h, w) float, normalised.

        Returns:
            (b, e) float, raw features.
        """
        x = self.transformer(self.positions(images), at=0)  # [b, d]
        return self.projected(x)

    def projected(self, x: Tensor) -> Tensor:
        """(..., d) of positions after the last block -> (..., e)."""
        features: Tensor = self.ln_post(x) @ self.proj
        return features if self.proj_bias is None else features + self.proj_bias

    def positions(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) normalised images -> (b, s, d): the class token and the patches, before the first block."""
        x = patches_of(images, self.conv1)  # [b, h*w, d]
        token = self.class_embedding.to(x.dtype).expand(x.shape[0], 1, -1)
        places = self.positional_embedding.to(x.dtype)
        if isinstance(self.conv1, ConvStem):
            return torch.cat([token, x + places], dim=1)  # [b, h*w + 1, d]
        x = torch.cat([token, x], dim=1) + places
        normed: Tensor = self.ln_pre(x)
        return normed


class Bottleneck(nn.Module):
    """A residual bottleneck whose stride is an average pooling, so that it does not alias (Zhang 2019)."""

    expansion = 4

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        """`channels` inside, `4 * channels` out; the grid shrinks by `stride`."""
        super().__init__()
        channels_out = channels * self.expansion
        self.conv1 = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.avgpool: nn.Module = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.conv3 = nn.Conv2d(channels, channels_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module | None = None
        if stride > 1 or channels_in != channels_out:
            # The names -1, 0 and 1 are those of OpenAI's checkpoints.
            conv = nn.Conv2d(channels_in, channels_out, 1, bias=False)
            parts = OrderedDict([("-1", nn.AvgPool2d(stride)), ("0", conv), ("1", nn.BatchNorm2d(channels_out))])
            self.downsample = nn.Sequential(parts)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, 4 * channels, h / stride, w / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = self.bn3(self.conv3(self.avgpool(x)))
        return F.relu(x + shortcut, inplace=True)


class AttentionPool2d(nn.Module):
    """One attention layer in which the mean position asks all positions (section 2.4 of the paper)."""

    def __init__(self, grid: int, width: int, heads: int, embed_dim: int) -> None:
        """`grid` x `grid` positions of `width` channels."""
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.randn(grid**2 + 1, width) * width**-0.5)
        self.k_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, embed_dim)
        for layer in (self.q_proj, self.k_proj, self.v_proj, self.c_proj):
            nn.init.normal_(layer.weight, std=width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, e)."""
        x = x.flatten(2).transpose(1, 2)  # [b, s, d]
        x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1)  # [b, s + 1, d]
        x = x + self.positional_embedding.to(x.dtype)
        q, k, v = self._split(self.q_proj(x[:, :1])), self._split(self.k_proj(x)), self._split(self.v_proj(x))
        y = F.scaled_dot_product_attention(q, k, v)  # [b, heads, 1, d / heads]
        features: Tensor = self.c_proj(y.transpose(1, 2).flatten(1))  # [b, e]
        return features

    def _split(self, x: Tensor) -> Tensor:
        b, s, d = x.shape
        return x.view(b, s, self.heads, d // self.heads).transpose(1, 2)


class ModifiedResNet(nn.Module):
    """ResNet-D with a three-convolution stem, anti-aliased strides and attention pooling (section 2.4)."""

    def __init__(self, image_size: int, layers: tuple[int, ...], width: int, heads: int, embed_dim: int) -> None:
        """Sizes in pixels; see `VisionConfig`."""
        super().__init__()
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.avgpool = nn.AvgPool2d(2)
        self._channels = width
        self.layer1 = self._stage(width, layers[0], stride=1)
        self.layer2 = self._stage(width * 2, layers[1], stride=2)
        self.layer3 = self._stage(width * 4, layers[2], stride=2)
        self.layer4 = self._stage(width * 8, layers[3], stride=2)
        self.attnpool = AttentionPool2d(image_size // 32, width * 32, heads, embed_dim)
        # A block that starts as the identity trains better at large rates (Goyal et al. 2017, section 5.1).
        for name, parameter in self.named_parameters():
            if name.endswith("bn3.weight") and name.startswith("layer"):
                nn.init.zeros_(parameter)

    def _stage(self, channels: int, blocks: int, stride: int) -> nn.Sequential:
        stage = [Bottleneck(self._channels, channels, stride)]
        self._channels = channels * Bottleneck.expansion
        stage += [Bottleneck(self._channels, channels, 1) for _ in range(1, blocks)]
        return nn.Sequential(*stage)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: (b, 3, h, w) float, normalised.

        Returns:
            (b, e) float, raw features.
        """
        features: Tensor = self.attnpool(self.grid(images))  # [b, e]
        return features

    def grid(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) normalised images -> (b, 32c, h / 32, w / 32): all but the pooling."""
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)  # [b, c/2, h/2, w/2]
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = F.relu(self.bn3(self.conv3(x)), inplace=True)
        x = self.avgpool(x)  # [b, c, h/4, w/4]
        grid: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return grid


ImageTower = VisionTransformer | ModifiedResNet | EfficientNetLite | FastViT | SiglipImageTower


def build_visual(config: CLIPConfig) -> ImageTower:
    """The image tower that a configuration describes."""
    v = config.vision
    if v.variant in VARIANTS:
        return EfficientNetLite(str(v.variant), config.embed_dim, pooling=v.pooling, hidden=v.hidden)
    if v.pooling == PROBE:
        return SiglipImageTower(v)
    if v.variant in STAGES and isinstance(v.layers, tuple):
        sizes = {"inner": v.mlp_width, "head_width": v.head_width}
        return FastViT(str(v.variant), v.layers, v.width, config.embed_dim, **sizes)
    if v.patch_size is not None and isinstance(v.layers, int):
        sides = (v.image_size, v.patch_size)
        act = config.quick_gelu
        return VisionTransformer(
            *sides, v.width, v.layers, v.heads, config.embed_dim, act, v.mlp_width, variant=v.variant
        )
    if isinstance(v.layers, tuple):
        return ModifiedResNet(v.image_size, v.layers, v.width, v.heads, config.embed_dim)
    raise ValueError(f"no image tower has patch_size={v.patch_size!r} and layers={v.layers!r}")
