"""Fold batch norms into the convolutions before them, for inference only.

A tower then has a third fewer layers and computes the same function. Nothing is trained afterwards.
"""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clip_model.towers.efficientnet import EfficientNetLite, InvertedResidual
from clip_model.towers.vision import Bottleneck, ModifiedResNet

_PAIRS: dict[type[nn.Module], tuple[tuple[str, str], ...]] = {
    ModifiedResNet: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
    Bottleneck: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
    EfficientNetLite: (("conv_stem", "bn0"), ("conv_head", "bn1")),
    InvertedResidual: (("depthwise_conv", "bn1"), ("project_conv", "bn2")),
}


def fold_batch_norms(tower: ModifiedResNet | EfficientNetLite) -> None:
    """Replace each convolution and its batch norm by one convolution, in place.

    Raises:
        ValueError: if the tower is in training mode, where a batch norm depends on the batch.
    """
    if tower.training:
        raise ValueError("batch norms are folded for inference only; call eval() on the tower first")
    for module in tower.modules():
        for names in _PAIRS.get(type(module), ()):
            _fold_pair(module, *names)
        if isinstance(module, InvertedResidual) and module.expands:
            _fold_pair(module, "expand_conv", "bn0")
        if isinstance(module, Bottleneck) and isinstance(module.downsample, nn.Sequential):
            pool, convolution, norm = module.downsample
            module.downsample = nn.Sequential(pool, _fold(convolution, norm))


def _fold_pair(module: nn.Module, convolution: str, norm: str) -> None:
    setattr(module, convolution, _fold(getattr(module, convolution), getattr(module, norm)))
    setattr(module, norm, nn.Identity())


def _fold(convolution: nn.Module, norm: nn.Module) -> nn.Module:
    if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        raise ValueError(f"expected a convolution and a batch norm, got {convolution} and {norm}: folded already?")
    return fuse_conv_bn_eval(convolution, norm)
