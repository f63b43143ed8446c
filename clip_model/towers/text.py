"""The paper's text transformer, causal or not: token ids to raw features, pooled at the end of the text.

Legend: b batch, s positions, d channels, e dimension of the shared space.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clip_model.config import CLIPConfig
from clip_model.towers.transformer import Transformer


class TextTransformer(nn.Module):
    """The text tower of the paper (section 2.4); of the kind "unmasked" without its mask, as most of MobileCLIP's."""

    def __init__(self, config: CLIPConfig) -> None:
        """Build and initialise the tower that `config.text` describes."""
        super().__init__()
        t = config.text
        self.is_causal = t.kind == "causal"
        self.transformer = Transformer(t.width, t.layers, t.heads, config.quick_gelu, inner=t.mlp_width)
        self.token_embedding = nn.Embedding(t.vocab_size, t.width)
        self.positional_embedding = nn.Parameter(torch.empty(t.context_length, t.width))
        self.ln_final = nn.LayerNorm(t.width)
        self.text_projection = nn.Parameter(torch.empty(t.width, config.embed_dim))
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        nn.init.normal_(self.text_projection, std=t.width**-0.5)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Features of tokenised texts.

        Where the mask is causal, what follows the last end of text never reaches it: those positions are not computed.

        Args:
            tokens: (b, s) int64 ids, the end of text being the largest id of a row; without a mask, what fills the
                context up is seen, and has to be there.

        Returns:
            (b, e) float, raw features.

        Raises:
            ValueError: when there are more positions than the context has.
        """
        return self.computed(*self.prepared(tokens))

    def prepared(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(b, s) int64 -> the positions (b, t) that are computed, and where each text ends (b,); raises likewise."""
        if tokens.shape[1] > len(self.positional_embedding):
            raise ValueError(
                f"texts of {tokens.shape[1]} positions, but the context is {len(self.positional_embedding)}"
            )
        ends = tokens.argmax(dim=-1)  # [b]
        length = tokens.shape[1]
        if self.is_causal:
            length = int(ends.max()) + 1 if len(ends) else 1
        return tokens[:, :length], ends

    def computed(self, tokens: Tensor, ends: Tensor) -> Tensor:
        """(b, t) int64, (b,) int64 -> (b, e) float, raw features."""
        x = self.token_embedding(tokens)  # [b, t, d]
        x = x + self.positional_embedding[: tokens.shape[1]]
        x = self.ln_final(self.transformer(x, causal=self.is_causal, at=ends))  # [b, d]
        features: Tensor = x @ self.text_projection  # [b, e]
        return features
