"""Fold batch norms and the constant of the quick GELU into the layers around them, for inference only.

A tower then has fewer steps and computes the same function. Nothing is trained afterwards. `made_ready` is all that an
`Encoder` does to its copy of a model.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clip_model.mobile.branches import ConvStem
from clip_model.mobile.fastvit import FastViT
from clip_model.mobile.folding import fold_branches
from clip_model.towers.efficientnet import EfficientNetLite, InvertedResidual
from clip_model.towers.packing import pack, packs
from clip_model.towers.transformer import MLP, QuickGELU
from clip_model.towers.vision import Bottleneck, ModifiedResNet, VisionTransformer

_PAIRS: dict[type[nn.Module], tuple[tuple[str, str], ...]] = {
    ModifiedResNet: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
    Bottleneck: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
    EfficientNetLite: (("conv_stem", "bn0"), ("conv_head", "bn1")),
    ConvStem: (("conv1", "bn1"), ("conv2", "bn2")),
    InvertedResidual: (("depthwise_conv", "bn1"), ("project_conv", "bn2")),
}


def made_ready(model: nn.Module, visual: nn.Module, device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """Fold what can be folded into a model's weights, move it, and pack it on a CPU, in place; its pixels' layout.

    Args:
        model: on the CPU, in float32, in evaluation mode.
        visual: its image tower.
        device: to compute on.
        dtype: to compute in.
    """
    packing, layout = device.type == "cpu" and packs(dtype), torch.contiguous_format
    if isinstance(visual, ModifiedResNet | EfficientNetLite | FastViT | VisionTransformer):
        fold_batch_norms(visual)
    if isinstance(visual, ModifiedResNet | EfficientNetLite | FastViT):
        # Convolutions over many channels run up to twice as fast when a pixel's channels lie together.
        layout = torch.channels_last
        visual.to(memory_format=layout)  # type: ignore[call-overload]
    if packing or device.type == "cuda":
        fold_quick_gelus(model)
    model.to(device, dtype)
    if packing:
        pack(model)
    return layout


def fold_batch_norms(tower: ModifiedResNet | EfficientNetLite | FastViT | VisionTransformer) -> None:
    """Replace each convolution and its batch norm by one convolution, in place, and of a FastViT all parallel branches.

    Of a VisionTransformer there are such in a convolutional stem alone.

    Raises:
        ValueError: if the tower is in training mode, where a batch norm depends on the batch.
    """
    if tower.training:
        raise ValueError("batch norms are folded for inference only; call eval() on the tower first")
    if isinstance(tower, FastViT):
        fold_branches(tower)
    for module in tower.modules():
        for names in _PAIRS.get(type(module), ()):
            _fold_pair(module, *names)
        if isinstance(module, InvertedResidual) and module.expands:
            _fold_pair(module, "expand_conv", "bn0")
        if isinstance(module, Bottleneck) and isinstance(module.downsample, nn.Sequential):
            pool, convolution, norm = module.downsample
            module.downsample = nn.Sequential(pool, _fold(convolution, norm))


@torch.no_grad()
def fold_quick_gelus(tower: nn.Module) -> None:
    """Let each quick GELU be a SiLU, in place: x * sigmoid(a x) is silu(a x) / a, and both factors go into weights.

    On a GPU the former takes three passes over the widest activations, a fifth of a ViT's time, the latter one; on a
    CPU the latter alone can be computed within a product.
    """
    for module in tower.modules():
        if isinstance(module, MLP) and isinstance(module.gelu, QuickGELU):
            module.c_fc.weight.mul_(QuickGELU.SCALE)
            module.c_fc.bias.mul_(QuickGELU.SCALE)
            module.c_proj.weight.div_(QuickGELU.SCALE)
            module.gelu = nn.SiLU()


def _fold_pair(module: nn.Module, convolution: str, norm: str) -> None:
    setattr(module, convolution, _fold(getattr(module, convolution), getattr(module, norm)))
    setattr(module, norm, nn.Identity())


def _fold(convolution: nn.Module, norm: nn.Module) -> nn.Module:
    if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        raise ValueError(f"expected a convolution and a batch norm, got {convolution} and {norm}: folded already?")
    return fuse_conv_bn_eval(convolution, norm)
