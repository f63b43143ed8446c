"""The paper's text tower in NumPy, causal or not: what `towers/text.py` is in torch, with the same tensor names.

Legend: b batch, s positions, d channels, e dimension of the shared space.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip_model.numpy_text.layers import attention, gelu, layer_norm, linear, quick_gelu
from clip_model.numpy_text.mapped_weights import Floats, MappedWeights

_EPSILON = 1e-5  # torch's default for layer norms


def features(weights: MappedWeights, tokens: NDArray[np.int64]) -> Floats:
    """Raw features of tokenised texts.

    Args:
        weights: of a model whose text tower is of CLIP_TEXTS.
        tokens: (b, s) ids, the end of text being the largest id of a row.

    Returns:
        (b, e).
    """
    config = weights.header.config
    activation = quick_gelu if config.quick_gelu else gelu
    ends = tokens.argmax(axis=1)  # [b]
    masked = config.text.kind == "causal"
    length = int(ends.max()) + 1 if masked else tokens.shape[1]  # what follows the last end never reaches it then
    x = weights.rows("token_embedding.weight", tokens[:, :length]) + weights("positional_embedding")[:length]
    seen = np.triu(np.full((length, length), -np.inf if masked else 0, dtype=np.float32), k=1)
    for i in range(config.text.layers):
        name = f"transformer.resblocks.{i}"
        x = x + attention(weights, f"{name}.attn", _norm(weights, f"{name}.ln_1", x), config.text.heads, seen)
        inner = activation(linear(weights, f"{name}.mlp.c_fc", _norm(weights, f"{name}.ln_2", x)))
        x = x + linear(weights, f"{name}.mlp.c_proj", inner)  # [b, s, d]
    last = _norm(weights, "ln_final", x[np.arange(len(x)), ends])  # [b, d]
    out: Floats = last @ weights("text_projection")
    return out


def _norm(weights: MappedWeights, name: str, x: Floats) -> Floats:
    return layer_norm(weights, name, x, _EPSILON)
