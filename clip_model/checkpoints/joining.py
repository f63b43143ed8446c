"""What Hugging Face's layouts of CLIP and SigLIP share: queries, keys and values apart, positions that count."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

JOINED = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_POSITIONS = re.compile(r"(text|vision)_model\.embeddings\.position_ids")  # 0, 1, 2, ... in files of before 2023


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
        if lacking or len({(value.dtype, value.shape) for value in parts.values()}) != 1:
            what = f"lack {lacking[0]}" if lacking else "differ in shape or type"
            raise ValueError(f"{source} does not fit its configuration: the parts of {name} {what}")
        whole[name] = torch.cat([parts[part] for part in JOINED])
    return whole


def is_counting(name: str, value: Tensor) -> bool:
    """Whether a tensor holds the numbers of the positions, which say nothing; any other value stays a stranger."""
    return bool(_POSITIONS.fullmatch(name)) and torch.equal(
        value.flatten(), torch.arange(value.numel()).to(value.dtype)
    )
