"""Save and load whole models as safetensors files that describe themselves.

The header carries the configuration under "config", as JSON, beside any other strings. Neither optimizer state nor
downloads are its business; files of other programs are converted by `checkpoints/` first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from clip_model.checkpoints.fitting import check_numbers, read_own
from clip_model.config import CLIPConfig
from clip_model.header import CONFIG_KEY, TOKENIZER
from clip_model.model import CLIP
from clip_model.registry import resolve
from clip_model.stored_file import write_atomically

SAVED_PRECISIONS = (torch.float16, torch.float32)


def save_model(
    model: CLIP, path: Path, metadata: Mapping[str, str] | None = None, *, dtype: torch.dtype = torch.float32
) -> None:
    """Write the weights and the configuration, atomically: the file is complete or not there.

    Args:
        model: any CLIP, on any device.
        path: the file to write or replace.
        metadata: strings for the header, such as a name and the facts of a model card.
        dtype: float16 or float32 for the weights; counters stay integers.

    Raises:
        ValueError: if another precision is asked for, the metadata names "config", or a weight is not finite in it.
    """
    if dtype not in SAVED_PRECISIONS:
        raise ValueError(f"weights are saved as float16 or float32, got {dtype}")
    if metadata and CONFIG_KEY in metadata:
        raise ValueError(f"the metadata key {CONFIG_KEY!r} is the model's own configuration; use another key")
    tensors = {name: _stored(name, value, dtype) for name, value in model.state_dict().items()}
    if model.tokenizer_data is not None:
        tensors[TOKENIZER] = torch.frombuffer(bytearray(model.tokenizer_data), dtype=torch.uint8)
    header = {**(metadata or {}), CONFIG_KEY: json.dumps(model.config.to_dict())}
    write_atomically(path, save(tensors, header))


def load_model(name_or_path: str | Path) -> CLIP:
    """Load a model by registered name or path, in float32, on the CPU, ready to evaluate.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the name is unknown, the file is no model or damaged, its tensors are not those that its
            configuration asks for, or a number is not finite.
    """
    path = resolve(name_or_path).path
    return _build(*read_own(path), source=str(path))


def _stored(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if not value.is_floating_point():
        return value.detach().cpu().contiguous()
    stored = value.detach().to("cpu", dtype).contiguous()
    if not torch.isfinite(stored).all():
        raise ValueError(f"the tensor {name} holds values that are not finite in {dtype}; nothing was written")
    return stored


def _build(config: CLIPConfig, state: Mapping[str, Tensor], tokenizer: bytes | None, *, source: str) -> CLIP:
    with _NoRandomWeights():  # the next lines replace them
        model = CLIP(config)
    # A copy: the tensors of a file are views of it, and the file may be replaced.
    weights = {name: state[name].to(like.dtype, copy=True) for name, like in model.state_dict().items()}
    for name, value in weights.items():
        check_numbers(name, value, source)
    model.load_state_dict(weights, strict=True, assign=True)
    model.tokenizer_data = tokenizer
    return model.eval()


class _NoRandomWeights(TorchFunctionMode):
    """Draws nothing. The meta device would not either, but imports torch's compiler to do so: 64 MB and a second."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **given)
