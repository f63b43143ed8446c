"""Linear layers in 8-bit integers, for processors that multiply those twice as fast as bf16 (AVX-512 VNNI, AMX).

Weights are rounded once, with a scale for each output; what comes in, as it comes, with a scale for each position.
Norms, attention and activations stay as they are. Nothing is trained or calibrated.

    Source: Dettmers et al. 2022, "LLM.int8()" (arXiv 2208.07339), section 2, vector-wise quantization; without its
    columns in 16 bits.

Legend: n positions, i channels in, o channels out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clip_model.towers.transformer import ResidualAttentionBlock
from clip_model.towers.vision import VisionTransformer

_LARGEST = 127
_LEAST = 1e-30  # instead of a scale of 0


class Int8Linear(nn.Module):
    """x @ weight.T + bias, the product in integers."""

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Round a (o, i) weight; the (o,) bias stays in float32."""
        super().__init__()
        scale = _scale(weight.float())  # [o, 1]
        self.register_buffer("weight", (weight.float() / scale).round().to(torch.int8).t())  # [i, o]
        self.register_buffer("scale", scale.flatten())
        self.register_buffer("bias", bias.float())

    def forward(self, x: Tensor) -> Tensor:
        """(..., i) of a floating type -> (..., o) of the same; NaN and infinity come out as NaN."""
        rows = x.flatten(0, -2).float()  # [n, i]
        scale = _scale(rows)
        product = torch._int_mm((rows / scale).round_().to(torch.int8), self.weight)
        out: Tensor = product.float().mul_(self.scale).mul_(scale).add_(self.bias)  # [n, o]
        return out.to(x.dtype).view(*x.shape[:-1], -1)


@torch.no_grad()
def quantize_blocks(tower: nn.Module) -> None:
    """Let the blocks of a vision transformer compute with `Int8Linear`, in place; the first and last layers stay.

    Raises:
        ValueError: if the tower is another one.
    """
    if not isinstance(tower, VisionTransformer):
        raise ValueError("precision 'int8' is for CLIP's vision transformers; the image tower of this model is another")
    for block in tower.transformer.resblocks:
        assert isinstance(block, ResidualAttentionBlock)
        _quantize(block.attn, "out_proj")
        _quantize(block.mlp, "c_fc")
        _quantize(block.mlp, "c_proj")
        block.attn.joined = Int8Linear(block.attn.in_proj_weight, block.attn.in_proj_bias)


def _quantize(module: nn.Module, name: str) -> None:
    linear = getattr(module, name)
    setattr(module, name, Int8Linear(linear.weight, linear.bias))


def _scale(rows: Tensor) -> Tensor:
    """(n, i) -> (n, 1): what a step of the integers is worth in each row."""
    return rows.abs().amax(dim=1, keepdim=True).clamp_min(_LEAST) / _LARGEST
