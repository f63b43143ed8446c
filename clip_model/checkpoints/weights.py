"""The tensors of a source, and what Hugging Face's layouts share: attention in parts, positions that count."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from clip_model.checkpoints.sources import Source
from clip_model.checkpoints.torch_files import read_torch_file

JOINED = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_POSITIONS = re.compile(r"((text|vision)_model|text\.transformer)\.embeddings\.position_ids")  # in files of before 2023


def read_weights(source: Source) -> dict[str, Tensor]:
    """All tensors by name.

    Raises:
        ValueError: if a file is damaged or holds something else, or two shards hold one tensor.
    """
    state: dict[str, Tensor] = {}
    for path in source.weights:
        try:
            part = load_file(path) if path.suffix == ".safetensors" else read_torch_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        twice = sorted(state.keys() & part.keys())
        if twice:
            raise ValueError(f"{source.path} holds the tensor {twice[0]} in two of its files")
        state |= part
    return state


def joined(apart: Mapping[str, Mapping[str, Tensor]], source: str) -> dict[str, Tensor]:
    """Queries, keys and values as one tensor each, as torch's attention has them.

    Args:
        apart: the three, by the names in JOINED, for each name of ours.
        source: what a message calls the file.

    Raises:
        ValueError: if one is missing, or they differ in shape or type.
    """
    whole = {}
    for name, parts in apart.items():
        lacking = [part for part in JOINED if part not in parts]
        kinds = {(value.dtype, value.shape) for value in parts.values()}
        if lacking or len(kinds) != 1 or any(not shape for _, shape in kinds):
            what = f"lack {lacking[0]}" if lacking else "differ in shape or type"
            raise ValueError(f"{source} does not fit its configuration: the parts of {name} {what}")
        whole[name] = torch.cat([parts[part] for part in JOINED])
    return whole


def apart(prefix: str, part: str, value: Tensor, layers: Mapping[str, str]) -> dict[str, Tensor]:
    """A tensor of a block of ours under Hugging Face's names, queries, keys and values apart: the inverse of `joined`.

    Args:
        prefix: of the layer's names there.
        part: its name within our block.
        value: the tensor.
        layers: their modules by ours.
    """
    module, dot, kind = part.rpartition(".")
    if kind.startswith("in_proj_"):
        names = [f"{prefix}.{each}.{kind.removeprefix('in_proj_')}" for each in JOINED]
        return dict(zip(names, value.chunk(3), strict=True))
    return {f"{prefix}.{layers[module]}{dot}{kind}": value}


def is_counting(name: str, value: Tensor) -> bool:
    """Whether a tensor holds the numbers of the positions, which say nothing; any other value stays a stranger."""
    return bool(_POSITIONS.fullmatch(name)) and torch.equal(
        value.flatten(), torch.arange(value.numel()).to(value.dtype)
    )
