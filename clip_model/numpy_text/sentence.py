"""The bidirectional text tower and its head in NumPy: what `towers/sentence.py` is in torch, with its tensor names.

Legend: b batch, s positions, d channels, e dimension of the shared space.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip_model.numpy_text.layers import attention, gelu, layer_norm, linear, unit
from clip_model.numpy_text.mapped_weights import Floats, MappedWeights

PAD = 0
_EPSILON = 1e-12  # of BERT's layer norms


def features(weights: MappedWeights, tokens: NDArray[np.int64]) -> Floats:
    """Raw features of tokenised texts.

    Args:
        weights: of a model whose text tower is bidirectional.
        tokens: (b, s) ids, padded with `PAD`.

    Returns:
        (b, e).
    """
    config = weights.header.config
    tokens = tokens[:, : int((tokens != PAD).sum(axis=1).max())]
    counts = (tokens != PAD).astype(np.float32)  # [b, s]
    x = weights.rows("text.token_embedding.weight", tokens) + weights("text.positional_embedding")[: tokens.shape[1]]
    x = _norm(weights, "text.ln_embedding", x)  # [b, s, d]
    seen = np.where(tokens == PAD, np.float32(-np.inf), np.float32(0))[:, None, None]  # [b, 1, 1, s]
    for i in range(config.text.layers):
        name = f"text.blocks.{i}"
        x = _norm(weights, f"{name}.ln_1", x + attention(weights, f"{name}.attn", x, config.text.heads, seen))
        inner = gelu(linear(weights, f"{name}.mlp.c_fc", x))
        x = _norm(weights, f"{name}.ln_2", x + linear(weights, f"{name}.mlp.c_proj", inner))
    means = (x * counts[:, :, None]).sum(axis=1) / counts.sum(axis=1, keepdims=True)
    return _head(weights, unit(means), hidden=config.text.hidden > 0)


def _head(weights: MappedWeights, x: Floats, *, hidden: bool) -> Floats:
    """(b, d) -> (b, e)."""
    out = linear(weights, "text.head.linear", x)
    if hidden:
        out = out + linear(weights, "text.head.out", gelu(linear(weights, "text.head.hidden", x)))
    return out


def _norm(weights: MappedWeights, name: str, x: Floats) -> Floats:
    return layer_norm(weights, name, x, _EPSILON)
