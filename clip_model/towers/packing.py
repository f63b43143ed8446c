"""Weights of transformers laid out as oneDNN multiplies them, once, instead of within each product; for CPUs alone.

A short text meets every weight of its tower once, and takes as long as laying them out does: packed it takes two thirds
of the time. The activation in the middle of an MLP is computed within its first product, and attention in bfloat16 as
`score_products.py` has it, where no blocks are made for masks. A head's layers are packed too.

It uses the operators that torch's own compiler (`torch/_inductor`) turns linear layers into. They are not documented,
so they are tried first, and where they are missing or compute something else, all stays as it is.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache, lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clip_model.towers import score_products
from clip_model.towers.head import Head
from clip_model.towers.patches import PatchProduct
from clip_model.towers.sentence import PostNormBlock
from clip_model.towers.siglip import SiglipImageTower
from clip_model.towers.transformer import MLP, Attention, ResidualAttentionBlock
from clip_model.towers.vision import VisionTransformer

_MACHINES = ("x86_64", "amd64")  # on which it was tried
_NONE = ("none", "")
_ACTIVATIONS = (nn.SiLU(), nn.GELU(), nn.GELU(approximate="tanh"))
# Of the largest number: bfloat16 rounds to one in 256, here once and there twice, and cannot tell the two GELUs apart.
_TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 0.02}


class PackedLinear(nn.Module):
    """A linear layer, and an activation after it; its weights can be multiplied with and nothing else."""

    def __init__(self, weight: Tensor, bias: Tensor | None, activation: tuple[str, str] = _NONE) -> None:
        """Pack (o, i) weights and an (o,) bias; `activation` is oneDNN's name and its variant."""
        super().__init__()
        self._weight: Tensor
        self._bias: Tensor | None
        self.register_buffer("_weight", torch.ops.mkldnn._reorder_linear_weight(weight.detach()), persistent=False)
        self.register_buffer("_bias", None if bias is None else bias.detach(), persistent=False)
        self._activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(..., i) -> (..., o)."""
        product = _scripted() if torch.jit.is_tracing() else _product  # type: ignore[attr-defined,no-untyped-call]
        return product(x, self._weight, self._bias, *self._activation)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, name: str, variant: str) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, name, [], variant)
    return out


@cache
def _scripted() -> Callable[..., Tensor]:
    """The same for torch's tracer, which cannot note the operator down by itself: it takes a list of numbers."""
    found: Callable[..., Tensor] = torch.jit.script(_product)
    return found


def pack(model: nn.Module) -> None:
    """Pack the linear layers of a model's transformers and heads, and what makes positions of patches, in place.

    It is for inference alone then, and for good.

    Args:
        model: on the CPU, of the number format that it will compute in, for which `packs` is true.
    """
    for module in model.modules():
        if isinstance(module, ResidualAttentionBlock | PostNormBlock):
            _pack_attention(module.attn, masked=isinstance(module, PostNormBlock))
            _pack_mlp(module.mlp)
        elif isinstance(module, VisionTransformer | SiglipImageTower) and isinstance(conv := module.conv1, nn.Conv2d):
            product = PatchProduct(conv.kernel_size, PackedLinear(conv.weight.flatten(1), conv.bias))
            setattr(module, "conv1", product)  # noqa: B010 - it is another kind of layer
        elif isinstance(module, Head):
            for name, _ in [*module.named_children()]:
                _pack_layer(module, name)


def packs(dtype: torch.dtype) -> bool:
    """Whether products of a number format can be packed on this machine, and are right there, and oneDNN is not off."""
    return bool(torch.backends.mkldnn.enabled) and _are_right(dtype)


@lru_cache(maxsize=8)
def _are_right(dtype: torch.dtype) -> bool:
    if dtype not in _TOLERANCES or platform.machine().lower() not in _MACHINES:
        return False
    if dtype != torch.float32 and not _are_right(torch.float32):
        return False
    weight, bias = ((torch.arange(128.0) % 7 - 3) / 8).view(16, 8).to(dtype), torch.linspace(-2, 2, 16).to(dtype)
    x = (torch.arange(24.0) % 5 - 2).view(1, 3, 8).to(dtype)
    try:
        with torch.inference_mode():
            for activation in (nn.Identity(), *_ACTIVATIONS):
                expected = activation(F.linear(x, weight, bias)).float()
                got = PackedLinear(weight, bias, _name_of(activation) or _NONE)(x).float()
                bound = _TOLERANCES[dtype] * expected.abs().max()
                if got.shape != expected.shape or not (got - expected).abs().max() <= bound:  # NaN is not
                    return False
    except (AttributeError, RuntimeError, TypeError):  # what torch has no more, or the processor not at all
        return False
    return True


def _pack_attention(attention: Attention, masked: bool) -> None:
    # With a mask torch computes it, and so it shall without: the same text has the same vector, whatever comes with it.
    if attention.in_proj_weight.dtype == torch.bfloat16 and not masked:
        attention.attend = score_products.attention
    attention.in_proj = PackedLinear(attention.in_proj_weight, attention.in_proj_bias)
    del attention.in_proj_weight, attention.in_proj_bias
    _pack_layer(attention, "out_proj")


def _pack_mlp(mlp: MLP) -> None:
    activation = _name_of(mlp.gelu)
    _pack_layer(mlp, "c_fc", activation or _NONE)
    _pack_layer(mlp, "c_proj")
    if activation is not None:
        mlp.gelu = nn.Identity()


def _pack_layer(module: nn.Module, name: str, activation: tuple[str, str] = _NONE) -> None:
    layer = getattr(module, name)
    setattr(module, name, PackedLinear(layer.weight, layer.bias, activation))


def _name_of(activation: nn.Module) -> tuple[str, str] | None:
    """What oneDNN calls an activation; None of one that it does not compute."""
    if isinstance(activation, nn.GELU):
        return "gelu", activation.approximate
    return ("swish", "") if isinstance(activation, nn.SiLU) else None
