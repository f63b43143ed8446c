"""The layers that both text towers are made of, as functions on arrays: what `towers/transformer.py` is in torch.

Legend: b batch, s positions, d channels, h heads.
"""

from __future__ import annotations

import numpy as np

from clip_model.numpy_text.mapped_weights import Floats, MappedWeights

# Abramowitz and Stegun, Handbook of Mathematical Functions (1964), formula 7.1.26: erf to 1.5e-7, highest power first.
_ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
_ERF_P = 0.3275911


def linear(weights: MappedWeights, name: str, x: Floats) -> Floats:
    """(..., n) -> (..., m) by a weight of (m, n), and a bias where there is one."""
    out = weights.product(x, f"{name}.weight")
    if f"{name}.bias" in weights.header.tensors:
        out += weights(f"{name}.bias")
    return out


def layer_norm(weights: MappedWeights, name: str, x: Floats, epsilon: float) -> Floats:
    """(..., d) -> (..., d): mean 0 and deviation 1 over the channels, then scaled and shifted."""
    centred = x - x.mean(axis=-1, keepdims=True)
    centred /= np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(epsilon))
    out: Floats = centred * weights(f"{name}.weight") + weights(f"{name}.bias")
    return out


def quick_gelu(x: Floats) -> Floats:
    """Any shape: x * sigmoid(1.702 x), as in OpenAI's weights."""
    with np.errstate(over="ignore"):  # of exp; 1 / inf is the 0 that is meant
        out: Floats = x / (1 + np.exp(np.float32(-1.702) * x))
    return out


def gelu(x: Floats) -> Floats:
    """Any shape: x times the normal distribution up to x, by an erf that is exact to 1.5e-7."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(_ERF_P) * z)
    tail = np.full_like(t, _ERF[0])
    for factor in _ERF[1:]:
        tail *= t
        tail += np.float32(factor)
    tail *= t * np.exp(-z * z)  # 1 - erf(z)
    out: Floats = np.float32(0.5) * x * np.where(x < 0, tail, 2 - tail)
    return out


def attention(weights: MappedWeights, name: str, x: Floats, heads: int, seen: Floats) -> Floats:
    """Multi-head self-attention.

    Args:
        weights: that hold the projections.
        name: of the layer.
        x: (b, s, d).
        heads: how many.
        seen: broadcast over (b, h, s, s): 0 where a position may be seen, minus infinity where not.

    Returns:
        (b, s, d).
    """
    b, s, d = x.shape
    qkv = weights.product(x, f"{name}.in_proj_weight") + weights(f"{name}.in_proj_bias")
    q, k, v = qkv.reshape(b, s, 3, heads, d // heads).transpose(2, 0, 3, 1, 4)  # each [b, h, s, d/h]
    scores = q @ k.swapaxes(2, 3) * np.float32((d // heads) ** -0.5) + seen
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    joined = (scores @ v).transpose(0, 2, 1, 3).reshape(b, s, d)
    return linear(weights, f"{name}.out_proj", joined)


def unit(x: Floats) -> Floats:
    """(n, d) -> (n, d), each row of unit length; a zero row stays one."""
    out: Floats = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), np.float32(1e-12))
    return out
