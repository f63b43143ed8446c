"""The residual attention block that both towers are made of, with OpenAI's parameter names.

Knows neither images nor texts.

Legend: b batch, s positions, d channels, h heads.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Place = int | Tensor
"""A position from 0 on: one for all rows, or (b,) int64."""


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x): the approximation that OpenAI's weights were trained with."""

    SCALE = 1.702

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return x * torch.sigmoid(self.SCALE * x)


class Attention(nn.Module):
    """Multi-head self-attention on `scaled_dot_product_attention`, or what `packing.py` puts in its place.

    The parameter names are those of `torch.nn.MultiheadAttention`, so that OpenAI's checkpoints load strictly.
    """

    def __init__(self, width: int, heads: int) -> None:
        """`width` channels in `heads` heads."""
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.in_proj: nn.Module | None = None  # in place of the two above, where `packing.py` laid them out
        self.attend: Callable[..., Tensor] = F.scaled_dot_product_attention
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)  # as torch.nn.MultiheadAttention begins
        nn.init.zeros_(self.out_proj.bias)

    def projected(self, x: Tensor) -> Tensor:
        """(b, s, d) -> (b, s, 3d): queries, keys and values of each position."""
        if self.in_proj is None:
            return F.linear(x, self.in_proj_weight, self.in_proj_bias)
        qkv: Tensor = self.in_proj(x)
        return qkv

    def forward(self, x: Tensor, causal: bool, mask: Tensor | None = None, at: Place | None = None) -> Tensor:
        """Attend from every position to all, to those of a mask, or to itself and those before it.

        Args:
            x: (b, s, d) float.
            causal: whether a position sees only itself and the positions before it.
            mask: (b, 1, 1, s) bool, True where a position may be seen; not together with `causal`.
            at: the one position of each row that attends, if not all do.

        Returns:
            (b, s, d) float, or (b, 1, d) of that position.
        """
        b, s, d = x.shape
        q, k, v = self.projected(x).view(b, s, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # [b, h, s, d/h]
        if at is not None:
            if causal:
                ends = (at if isinstance(at, Tensor) else torch.tensor(at, device=x.device)).view(-1, 1, 1, 1)
                mask, causal = torch.arange(s, device=x.device) <= ends, False  # [b or 1, 1, 1, s]
            q = _one_of(q.transpose(1, 2), at).transpose(1, 2)  # [b, h, 1, d/h]
        y = self.attend(q, k, v, attn_mask=mask, is_causal=causal)
        out: Tensor = self.out_proj(y.transpose(1, 2).reshape(b, y.shape[2], d))
        return out


class MLP(nn.Module):
    """Two linear layers, wider in between."""

    def __init__(self, width: int, quick_gelu: bool, inner: int = 0) -> None:
        """`width` channels in and out, `inner` in between; 0 is four times the width."""
        super().__init__()
        inner = inner or 4 * width
        self.c_fc = nn.Linear(width, inner)
        self.gelu: nn.Module = QuickGELU() if quick_gelu else nn.GELU()
        self.c_proj = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """(b, s, d) -> (b, s, d)."""
        out: Tensor = self.c_proj(self.gelu(self.c_fc(x)))
        return out


class ResidualAttentionBlock(nn.Module):
    """Pre-norm attention and MLP, each added to its input."""

    def __init__(self, width: int, heads: int, quick_gelu: bool, inner: int = 0, epsilon: float = 1e-5) -> None:
        """`width` channels, `heads` heads, `inner` channels inside the MLP; `epsilon` of the norms."""
        super().__init__()
        self.attn = Attention(width, heads)
        self.ln_1 = nn.LayerNorm(width, eps=epsilon)
        self.mlp = MLP(width, quick_gelu, inner)
        self.ln_2 = nn.LayerNorm(width, eps=epsilon)

    def forward(self, x: Tensor, causal: bool, at: Place | None = None) -> Tensor:
        """(b, s, d) -> (b, s, d), or (b, 1, d) of one position of each row."""
        attended = self.attn(self.ln_1(x), causal, at=at)
        x = attended + (x if at is None else _one_of(x, at))
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Transformer(nn.Module):
    """A stack of residual attention blocks."""

    def __init__(
        self, width: int, layers: int, heads: int, quick_gelu: bool, *, inner: int = 0, scaled: bool = True,
        epsilon: float = 1e-5,
    ) -> None:  # fmt: skip
        """Build and initialise as the paper's reference implementation does.

        `inner` is the width of the MLPs, 0 four times the other one. `scaled` is how it begins the text tower, by depth
        and width; the image tower begins as torch's layers do. `epsilon` is of the layer norms.
        """
        super().__init__()
        self.width, self.layers = width, layers
        sizes = (width, heads, quick_gelu, inner, epsilon)
        self.resblocks = nn.ModuleList(ResidualAttentionBlock(*sizes) for _ in range(layers))
        if scaled:
            self._initialise()

    def _initialise(self) -> None:
        # Scaled with depth as in GPT-2 (Radford et al. 2019, section 2.3), which CLIP's text tower follows.
        attention_std = self.width**-0.5
        residual_std = attention_std * (2 * self.layers) ** -0.5
        for block in self.resblocks:
            nn.init.normal_(block.attn.in_proj_weight, std=attention_std)  # type: ignore[union-attr,arg-type]
            nn.init.normal_(block.attn.out_proj.weight, std=residual_std)  # type: ignore[union-attr,arg-type]
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * self.width) ** -0.5)  # type: ignore[union-attr,arg-type]
            nn.init.normal_(block.mlp.c_proj.weight, std=residual_std)  # type: ignore[union-attr,arg-type]

    def forward(self, x: Tensor, causal: bool = False, at: Place | None = None) -> Tensor:
        """Run the blocks.

        Args:
            x: (b, s, d) float.
            causal: whether a position sees only itself and the positions before it.
            at: the one position of each row that is read afterwards, if not all are: in the last block the others are
                keys and values alone, which leaves out two thirds of its work (of a ViT-B/32's 6 %).

        Returns:
            (b, s, d) float, or (b, d) of that position.

        Raises:
            IndexError: there is no such position.
        """
        at = range(x.shape[1])[at] if isinstance(at, int) else at
        for number, block in enumerate(self.resblocks, 1):
            x = block(x, causal, at if number == len(self.resblocks) else None)
        if at is None:
            return x
        return x[:, 0] if len(self.resblocks) else _one_of(x, at)[:, 0]


def _one_of(x: Tensor, at: Place) -> Tensor:
    """(b, s, ...) -> (b, 1, ...)."""
    return x[:, at : at + 1] if isinstance(at, int) else x[torch.arange(x.shape[0], device=x.device), at].unsqueeze(1)
