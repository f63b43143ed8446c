"""The paper's causal text tower in NumPy: what `towers/text.py` is in torch, with the same tensor names.

Legend: b batch, s positions, d channels, e dimension of the shared space.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clip_model.config import CLIPConfig
from clip_model.numpy_text.layers import attention, gelu, layer_norm, linear, quick_gelu
from clip_model.numpy_text.mapped_weights import Floats, MappedWeights

_EPSILON = 1e-5  # torch's default for layer norms


def shapes(config: CLIPConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The name and the shape of each tensor that the tower reads."""
    t, d = config.text, config.text.width
    yield "token_embedding.weight", (t.vocab_size, d)
    yield "positional_embedding", (t.context_length, d)
    yield "text_projection", (d, config.embed_dim)
    yield from (("ln_final.weight", (d,)), ("ln_final.bias", (d,)))
    for i in range(t.layers):
        yield from block_shapes(f"transformer.resblocks.{i}", d, t.mlp_width)


def block_shapes(name: str, width: int, inner: int = 0) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The same of one block of attention and MLP, of either tower; `inner` 0 is four times the width."""
    inner = inner or 4 * width
    yield from ((f"{name}.attn.in_proj_weight", (3 * width, width)), (f"{name}.attn.in_proj_bias", (3 * width,)))
    layers = {"attn.out_proj": (width, width), "mlp.c_fc": (inner, width), "mlp.c_proj": (width, inner)}
    for layer, (rows, columns) in layers.items():
        yield from ((f"{name}.{layer}.weight", (rows, columns)), (f"{name}.{layer}.bias", (rows,)))
    for norm in ("ln_1", "ln_2"):
        yield from ((f"{name}.{norm}.weight", (width,)), (f"{name}.{norm}.bias", (width,)))


def features(weights: MappedWeights, tokens: NDArray[np.int64]) -> Floats:
    """Raw features of tokenised texts.

    Args:
        weights: of a model whose text tower is causal.
        tokens: (b, s) ids, the end of text being the largest id of a row.

    Returns:
        (b, e).
    """
    config = weights.header.config
    activation = quick_gelu if config.quick_gelu else gelu
    ends = tokens.argmax(axis=1)  # [b]
    length = int(ends.max()) + 1  # what follows the last end never reaches it
    x = weights.rows("token_embedding.weight", tokens[:, :length]) + weights("positional_embedding")[:length]
    seen = np.triu(np.full((length, length), -np.inf, dtype=np.float32), k=1)
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
