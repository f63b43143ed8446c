"""The map from a frozen encoder's features into the shared space: one linear, one with hidden units beside it.

Used by the image tower of `efficientnet.py` and the text tower of `sentence.py`. It normalises nothing.

Legend: b batch, e dimension of the shared space.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Head(nn.Module):
    """A linear map plus, where `hidden` is given, a layer of hidden units beside it."""

    def __init__(self, channels: int, hidden: int, embed_dim: int, dropout: float = 0.3) -> None:
        """`dropout` acts on the hidden units in training only."""
        super().__init__()
        self.linear = nn.Linear(channels, embed_dim)
        if hidden:
            self.hidden, self.out = nn.Linear(channels, hidden), nn.Linear(hidden, embed_dim, bias=False)
        self.has_hidden, self.dropout = hidden > 0, dropout

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels) -> (b, e)."""
        features: Tensor = self.linear(x)
        if self.has_hidden:
            features = features + self.out(F.dropout(F.gelu(self.hidden(x)), self.dropout, self.training))
        return features
