"""Attention as two products with all scores in between: bfloat16 on a CPU, where all positions see all.

torch's own `scaled_dot_product_attention` keeps few scores at a time, which pays on a GPU; on a CPU its products in
bfloat16 are so small that a ViT-B/32 spends a tenth of its time there, half as long again as these take. In float32 it
is the quicker one.

Legend: b batch, h heads, s positions, e channels of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SCORES = 2**21  # at once: 4 MB; without a bound it is slower than torch's from 257 positions on


def attention(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False, scores: int = _SCORES
) -> Tensor:
    """Compute `softmax(q k^T / sqrt(e)) v`, the paper's eq. 1 (Vaswani et al. 2017, arXiv 1706.03762).

    Scores are rounded to the number format of `q` before their softmax, which itself is computed in float32; torch's
    own keeps them in float32. In a whole network in bfloat16 that shows where scores are above 20 or so, where its
    other rounding shows as well (benchmarks/RESULTS.md).

    For inference: it is not differentiable. Nor can it be traced, which raises RuntimeError.

    Args:
        q: (b, h, s, e), of which there may be fewer than keys; then torch computes it, as it does with a mask.
        k: (b, h, s, e).
        v: (b, h, s, e).
        attn_mask: as torch takes it.
        is_causal: whether a position sees only itself and those before it.
        scores: how many to hold at once, though never fewer than those of one row of the batch.

    Returns:
        (b, h, s, e).
    """
    if attn_mask is not None or is_causal or q.shape != k.shape or not q.numel():
        return F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask, is_causal=is_causal)
    if torch.jit.is_tracing():  # type: ignore[attr-defined,no-untyped-call]
        raise RuntimeError("how many products there are depends on the batch: they cannot be noted down for all")
    b, h, s, e = q.shape
    out, step = q.new_empty(b, h, s, e), max(1, scores // (h * s * s))
    for at in range(0, b, step):
        part, keys, values = (x[at : at + step].reshape(-1, s, e) for x in (q, k, v))  # [b*h, s, e]
        weights = torch.baddbmm(part.new_empty(1), part, keys.transpose(1, 2), beta=0, alpha=e**-0.5).softmax(dim=-1)
        torch.bmm(weights, values, out=out[at : at + step].view(-1, s, e))
    return out
