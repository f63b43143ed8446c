"""Fold batch norms into the convolutions before them, for inference only.

A ModifiedResNet then has a third fewer layers and computes the same function. Nothing is trained afterwards.
"""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clip_model.towers.vision import Bottleneck, ModifiedResNet

_PAIRS = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"))


def fold_batch_norms(tower: ModifiedResNet) -> None:
    """Replace each convolution and its batch norm by one convolution, in place.

    Raises:
        ValueError: if the tower is in training mode, where a batch norm depends on the batch.
    """
    if tower.training:
        raise ValueError("batch norms are folded for inference only; call eval() on the tower first")
    _fold_pairs(tower)
    for block in tower.modules():
        if isinstance(block, Bottleneck):
            _fold_pairs(block)
            if isinstance(block.downsample, nn.Sequential):
                pool, convolution, norm = block.downsample
                block.downsample = nn.Sequential(pool, _fold(convolution, norm))


def _fold_pairs(module: nn.Module) -> None:
    for convolution, norm in _PAIRS:
        setattr(module, convolution, _fold(getattr(module, convolution), getattr(module, norm)))
        setattr(module, norm, nn.Identity())


def _fold(convolution: nn.Module, norm: nn.Module) -> nn.Module:
    if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        raise ValueError(f"expected a convolution and a batch norm, got {convolution} and {norm}: folded already?")
    return fuse_conv_bn_eval(convolution, norm)
