"""Names of an image tower's tensors: ours, and those that open_clip's models with a tower of timm have.

A FastViT's are the same below the tower. It knows no files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from clip_model.mobile.kinds import STAGES

_THEIRS, _OURS = "visual.trunk.", "visual."
_STEM = {"0.conv": "conv1", "0.bn": "bn1", "1.conv": "conv2", "1.bn": "bn2", "2.conv": "conv3"}
_MODULES = {
    **{f"patch_embed.backbone.{theirs}": f"conv1.{ours}" for theirs, ours in _STEM.items()},
    "patch_embed.proj": "conv1",
    "norm_pre": "ln_pre",
    "norm": "ln_post",
}
_TENSORS = {
    "cls_token": "class_embedding",
    "pos_embed": "positional_embedding",
    "head.weight": "proj",
    "head.bias": "proj_bias",
}
_PARTS = {
    "norm1": "ln_1",
    "norm2": "ln_2",
    "attn.proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_BLOCK = re.compile(r"blocks\.(\d+)\.([\w.]+)\.(weight|bias)")
_OUR_BLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.([\w.]+)[._](weight|bias)")
_FOLDED = ".reparam_conv."  # as FastViT's authors and timm call a convolution that was made of several branches
_JOINED = ("attn.qkv", "attn.in_proj")
_LEADING_ONES = {"class_embedding": 2, "positional_embedding": 1}  # of sizes that are 1 with timm


def renamed(state: Mapping[str, Tensor], kind: str, source: str) -> dict[str, Tensor]:
    """The tensors under our names; those that are none of such a tower's stay as they are.

    Args:
        state: the tensors of a whole model, or some of them.
        kind: of the image tower.
        source: what a message calls the model.

    Raises:
        ValueError: if two tensors are the same one, or its branches are one already.
    """
    if any(_FOLDED in name for name in state):
        raise ValueError(
            f"{source} cannot be used: its image tower is reparameterised, which cannot be undone; picsift does that "
            "for itself and needs the tower as it was trained"
        )
    ours: dict[str, Tensor] = {}
    for name, value in state.items():
        theirs = name.removeprefix(_THEIRS)
        known = theirs if kind in STAGES else _our_name(theirs)
        if theirs == name or known is None:
            ours.setdefault(name, value)
        else:
            ours[_OURS + known] = value if kind in STAGES else _our_shape(known, value)
    if len(ours) != len(state):
        raise ValueError(f"{source} holds two image towers")
    return ours


def their_names(state: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """The inverse of `renamed`, and the text tower where such models have it."""
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        ours = name.removeprefix(_OURS)
        if ours == name:
            found[name if name == "logit_scale" or name.startswith("text.") else f"text.{name}"] = value
        elif kind in STAGES:
            found[_THEIRS + ours] = value
        else:
            ones = (1,) * _LEADING_ONES.get(ours, 0)
            found[_THEIRS + _their_name(ours)] = value.T if ours == "proj" else value.reshape(ones + value.shape)
    return found


def _our_name(theirs: str) -> str | None:
    block = _BLOCK.fullmatch(theirs)
    if block is not None:
        number, part, kind = block.groups()
        if part == _JOINED[0]:
            return f"transformer.resblocks.{number}.{_JOINED[1]}_{kind}"
        return f"transformer.resblocks.{number}.{_PARTS[part]}.{kind}" if part in _PARTS else None
    if theirs in _TENSORS:
        return _TENSORS[theirs]
    module, _, tensor = theirs.rpartition(".")
    return f"{_MODULES[module]}.{tensor}" if module in _MODULES else None


def _our_shape(name: str, value: Tensor) -> Tensor:
    """What has another shape is compared, and refused, by who asks for the tower."""
    ones = _LEADING_ONES.get(name, 0)
    if ones and value.shape[:ones] == (1,) * ones and value.dim() == 3:
        return value.reshape(value.shape[ones:])
    return value.T if name == "proj" and value.dim() == 2 else value


def _their_name(ours: str) -> str:
    block = _OUR_BLOCK.fullmatch(ours)
    if block is not None:
        number, part, kind = block.groups()
        parts = {mine: theirs for theirs, mine in _PARTS.items()}
        return f"blocks.{number}.{_JOINED[0] if part == _JOINED[1] else parts[part]}.{kind}"
    tensors = {mine: theirs for theirs, mine in _TENSORS.items()}
    if ours in tensors:
        return tensors[ours]
    module, _, tensor = ours.rpartition(".")
    return f"{next(theirs for theirs, mine in _MODULES.items() if mine == module)}.{tensor}"
