"""A RoBERTa as a text tower (Liu et al. 2019, arXiv 1907.11692; XLM-R: Conneau et al. 2020, arXiv 1911.02116).

BERT's layers, with positions that are counted from the padding's id on, pooled and projected as open_clip's
`HFTextEncoder` does it. It tokenizes nothing.

Legend: b batch, s positions, d channels, e dimension of the shared space.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clip_model.config import CLIPConfig
from clip_model.sizes.shapes import POSITIONS
from clip_model.towers.sentence import PostNormBlock

PAD = 1
MEAN, DENSE, FIRST = "roberta-mean", "roberta-dense", "roberta-first"
"""Kinds of text tower by their pooling: all positions' mean, a layer over the first position, the first itself."""
_EPSILON = 1e-5  # of its layer norms


class RobertaTower(nn.Module):
    """Tokens to raw features."""

    def __init__(self, config: CLIPConfig) -> None:
        """Build the tower that `config.text` describes."""
        super().__init__()
        t = config.text
        self.context_length, self.kind = t.context_length, t.kind
        self.token_embedding = nn.Embedding(t.vocab_size, t.width)
        self.positional_embedding = nn.Parameter(torch.randn(POSITIONS, t.width) * 0.02)
        self.type_embedding = nn.Parameter(torch.randn(t.width) * 0.02)  # of the only type there is
        self.ln_embedding = nn.LayerNorm(t.width, eps=_EPSILON)
        self.blocks = nn.ModuleList(
            PostNormBlock(t.width, t.heads, epsilon=_EPSILON, inner=t.mlp_width) for _ in range(t.layers)
        )
        if t.kind == DENSE:
            self.pooler = nn.Linear(t.width, t.width)
        self.proj: nn.Module = nn.Linear(t.width, config.embed_dim, bias=False)
        if t.hidden:
            self.proj = nn.Sequential(
                nn.Linear(t.width, t.hidden, bias=False), nn.GELU(), nn.Linear(t.hidden, config.embed_dim, bias=False)
            )

    def forward(self, tokens: Tensor) -> Tensor:
        """Features of tokenised texts; positions after the last one that is no padding are not computed.

        Args:
            tokens: (b, s) int64, padded with `PAD`.

        Returns:
            (b, e) float, raw features.

        Raises:
            ValueError: when there are more positions than the context has.
        """
        if tokens.shape[1] > self.context_length:
            raise ValueError(f"texts of {tokens.shape[1]} positions, but the context is {self.context_length}")
        length = max(1, int(text_lengths(tokens).max())) if len(tokens) else 1
        seen = tokens[:, :length] != PAD  # [b, s]
        positions = seen.cumsum(dim=1) * seen + PAD
        x = self.token_embedding(tokens[:, :length]) + self.positional_embedding[positions] + self.type_embedding
        x = self.ln_embedding(x)  # [b, s, d]
        for block in self.blocks:
            x = block(x, seen[:, None, None])
        features: Tensor = self.proj(self._pooled(x, seen))
        return features

    def _pooled(self, x: Tensor, seen: Tensor) -> Tensor:
        """(b, s, d), (b, s) -> (b, d)."""
        if self.kind == MEAN:
            weights = seen.unsqueeze(2).to(x.dtype)
            return (x * weights).sum(dim=1) / weights.sum(dim=1)
        return torch.tanh(self.pooler(x[:, 0])) if self.kind == DENSE else x[:, 0]


def text_lengths(tokens: Tensor) -> Tensor:
    """(b, s) -> (b,) int64: positions of each text up to the last that is no padding."""
    return ((tokens != PAD) * torch.arange(1, tokens.shape[1] + 1, device=tokens.device)).amax(dim=1)
