"""Parallel branches, batch norms, layer scales and shortcuts folded into single layers, for inference alone.

Each sum of branches becomes one convolution (Vasu et al. 2022, arXiv 2206.04040, section 3.2; Vasu et al. 2023,
arXiv 2303.14189, section 3.1): the tower computes the same function in a third of the steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clip_model.mobile.blocks import AttendingBlock, LayerScale, MixingBlock, PositionConv, RepMixer
from clip_model.mobile.branches import Branch, Branched, LargeKernel

Kernel = tuple[Tensor, Tensor]
"""Weights (c out, c in / groups, side, side) and bias (c out,) of a convolution."""


@torch.no_grad()
def fold_branches(tower: nn.Module) -> None:
    """Fold what can be folded, in place; there are no batch norms left.

    Args:
        tower: a FastViT, or a part of one, in evaluation mode.
    """
    for name, child in tower.named_children():
        if isinstance(child, Branched | LargeKernel):
            setattr(tower, name, nn.Sequential(_branched(child), child.se, child.act))
        elif isinstance(child, Branch):
            setattr(tower, name, fuse_conv_bn_eval(child.conv, child.bn))
        elif isinstance(child, RepMixer):
            setattr(tower, name, _mixer(child))
        elif isinstance(child, PositionConv):
            setattr(tower, name, _positions(child))
        else:
            fold_branches(child)
    if isinstance(tower, MixingBlock):
        _scale(tower, "layer_scale", tower.mlp.fc2)
    elif isinstance(tower, AttendingBlock):
        _fold_norm(tower)
        _scale(tower, "layer_scale_1", tower.token_mixer.proj)
        _scale(tower, "layer_scale_2", tower.mlp.fc2)


def _branched(block: Branched | LargeKernel) -> nn.Conv2d:
    if isinstance(block, LargeKernel):
        branches = [_kernel(part, 7) for part in (block.large_conv, block.small_conv)]
        return _convolution(_total(branches), block.large_conv.conv.stride[0], block.groups)
    first = block.conv_kxk[0]
    assert isinstance(first, Branch)
    return _convolution(_total(_kernels(block)), first.conv.stride[0], block.groups)


def _kernels(block: Branched) -> list[Kernel]:
    """Of each branch, as wide as the widest."""
    convolved = [*block.conv_kxk, *([block.conv_scale] if block.conv_scale is not None else [])]
    kernels = [_kernel(part, block.kernel) for part in convolved if isinstance(part, Branch)]
    if block.identity is not None:
        norm = block.identity
        kernels.append(_normed(_unit(len(norm.weight), block.groups, block.kernel, norm.weight), norm))
    return kernels


def _kernel(branch: Branch, side: int) -> Kernel:
    """A branch's, with zeros around it up to a side in pixels."""
    return _normed(F.pad(branch.conv.weight, [(side - branch.conv.kernel_size[0]) // 2] * 4), branch.bn)


def _normed(weight: Tensor, norm: nn.BatchNorm2d) -> Kernel:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return weight * factor.view(-1, 1, 1, 1), norm.bias - norm.running_mean * factor


def _unit(channels: int, groups: int, side: int, like: Tensor) -> Tensor:
    """The convolution that changes nothing."""
    inside = channels // groups
    weight = like.new_zeros(channels, inside, side, side)
    numbers = torch.arange(channels)
    weight[numbers, numbers % inside, side // 2, side // 2] = 1
    return weight


def _total(kernels: list[Kernel]) -> Kernel:
    weight, bias = kernels[0]
    for other, shift in kernels[1:]:
        weight, bias = weight + other, bias + shift
    return weight, bias


def _convolution(kernel: Kernel, stride: int, groups: int) -> nn.Conv2d:
    weight, bias = kernel
    out, inside, side, _ = weight.shape
    padding = side // 2
    made = nn.Conv2d(inside * groups, out, side, stride, padding, groups=groups, device="meta")  # draws no numbers
    made.weight, made.bias = nn.Parameter(weight, False), nn.Parameter(bias, False)
    return made


def _mixer(block: RepMixer) -> nn.Conv2d:
    """The sum x + scale * (mixed - normed) as one convolution."""
    mixed, normed = _total(_kernels(block.mixer)), _total(_kernels(block.norm))
    scale = block.layer_scale.gamma  # [c, 1, 1]
    groups = block.mixer.groups
    unit = _unit(len(scale), groups, block.mixer.kernel, scale)
    weight = unit + scale.unsqueeze(1) * (mixed[0] - normed[0])
    return _convolution((weight, scale.flatten() * (mixed[1] - normed[1])), 1, groups)


def _positions(block: PositionConv) -> nn.Conv2d:
    """The convolution and what it is added to."""
    convolution = block.pos_enc
    assert convolution.bias is not None
    unit = _unit(convolution.out_channels, convolution.groups, convolution.kernel_size[0], convolution.weight)
    return _convolution((convolution.weight + unit, convolution.bias), 1, convolution.groups)


def _fold_norm(block: AttendingBlock) -> None:
    """A batch norm before attention goes into its queries, keys and values; a layer norm stays."""
    norm = block.norm
    if not isinstance(norm, nn.BatchNorm2d):
        return
    qkv = block.token_mixer.qkv
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * (norm.running_var + norm.eps).rsqrt()  # [c]
    qkv.bias = nn.Parameter(qkv.weight @ (norm.bias - norm.running_mean * factor), False)
    qkv.weight = nn.Parameter(qkv.weight * factor, False)
    block.norm = nn.Identity()


def _scale(block: nn.Module, name: str, layer: nn.Conv2d | nn.Linear) -> None:
    """What a layer's output is scaled by goes into the layer."""
    scale = getattr(block, name)
    assert isinstance(scale, LayerScale)
    gamma = scale.gamma.flatten()
    layer.weight = nn.Parameter(layer.weight * gamma.view(-1, *[1] * (layer.weight.dim() - 1)), False)
    assert layer.bias is not None
    layer.bias = nn.Parameter(layer.bias * gamma, False)
    setattr(block, name, nn.Identity())
