"""SigLIP's towers (Zhai et al. 2023, arXiv 2303.15343; Tschannen et al. 2025, arXiv 2502.14786).

An image tower without a class token, pooled by the attention of a learned probe (Lee et al. 2019, arXiv 1810.00825),
and a text tower that sees all of a text, padding included, pooled at its last position. GELU by tanh in both.

Legend: b batch, s positions, d channels, h heads, e dimension of the shared space.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clip_model.config import CLIPConfig, VisionConfig
from clip_model.towers.patches import patches_of
from clip_model.towers.transformer import MLP, Attention, Transformer

_EPSILON = 1e-6  # of its layer norms


class ProbeHead(nn.Module):
    """A learned probe asks all positions; an MLP is added to the answer."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        """`width` channels, `heads` heads, `inner` channels inside the MLP, 0 for four times as many."""
        super().__init__()
        self.probe = nn.Parameter(torch.randn(width) * width**-0.5)
        self.attn = Attention(width, heads)
        self.ln = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = MLP(width, quick_gelu=False, inner=inner)
        self.mlp.gelu = nn.GELU(approximate="tanh")

    def forward(self, x: Tensor) -> Tensor:
        """(b, s, d) -> (b, d)."""
        b, s, d = x.shape
        heads, weight, bias = self.attn.heads, self.attn.in_proj_weight, self.attn.in_proj_bias
        q = F.linear(self.probe, weight[:d], bias[:d]).view(1, heads, 1, d // heads).expand(b, -1, -1, -1)
        k, v = F.linear(x, weight[d:], bias[d:]).view(b, s, 2, heads, d // heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)  # [b, h, 1, d / h]
        y = self.attn.out_proj(y.reshape(b, d))
        out: Tensor = y + self.mlp(self.ln(y))
        return out


class SiglipImageTower(nn.Module):
    """Patches, a transformer, and a probe; its channels are those of the shared space."""

    def __init__(self, config: VisionConfig) -> None:
        """Build the tower that a configuration describes.

        Raises:
            ValueError: if it has no patches.
        """
        super().__init__()
        v = config
        if v.patch_size is None or not isinstance(v.layers, int):
            raise ValueError(f"a SigLIP's image tower is a transformer over patches, got patch_size={v.patch_size!r}")
        positions = (v.image_size // v.patch_size) ** 2
        self.conv1 = nn.Conv2d(3, v.width, kernel_size=v.patch_size, stride=v.patch_size)
        self.positional_embedding = nn.Parameter(torch.randn(positions, v.width) * v.width**-0.5)
        self.transformer = _transformer(v.width, v.layers, v.heads, v.mlp_width)
        self.ln_post = nn.LayerNorm(v.width, eps=_EPSILON)
        self.head = ProbeHead(v.width, v.heads, v.mlp_width)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: (b, 3, h, w) float, normalised.

        Returns:
            (b, e) float, raw features.
        """
        features: Tensor = self.head(self.positions(images))
        return features

    def positions(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) normalised images -> (b, s, d): what the probe asks."""
        x = patches_of(images, self.conv1) + self.positional_embedding
        asked: Tensor = self.ln_post(self.transformer(x))
        return asked


class SiglipTextTower(nn.Module):
    """Tokens to raw features, by the last position of a text that is padded to the whole context."""

    def __init__(self, config: CLIPConfig) -> None:
        """Build the tower that `config.text` describes."""
        super().__init__()
        t = config.text
        self.token_embedding = nn.Embedding(t.vocab_size, t.width)
        self.positional_embedding = nn.Parameter(torch.randn(t.context_length, t.width) * 0.01)
        self.transformer = _transformer(t.width, t.layers, t.heads, t.mlp_width)
        self.ln_final = nn.LayerNorm(t.width, eps=_EPSILON)
        self.proj = nn.Linear(t.width, config.embed_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Features of tokenised texts; padding is seen as any other token, and none is left out.

        Args:
            tokens: (b, s) int64.

        Returns:
            (b, e) float, raw features.

        Raises:
            ValueError: when there are more positions than the context has.
        """
        length = tokens.shape[1]
        if length > len(self.positional_embedding):
            raise ValueError(f"texts of {length} positions, but the context is {len(self.positional_embedding)}")
        x = self.token_embedding(tokens) + self.positional_embedding[:length]  # [b, s, d]
        features: Tensor = self.proj(self.ln_final(self.transformer(x, at=length - 1)))
        return features


def _transformer(width: int, layers: int, heads: int, inner: int) -> Transformer:
    made = Transformer(width, layers, heads, quick_gelu=False, inner=inner, scaled=False, epsilon=_EPSILON)
    for block in made.resblocks:
        block.mlp.gelu = nn.GELU(approximate="tanh")  # type: ignore[union-attr]
    return made
