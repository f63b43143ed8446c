"""Whether tensors are those of a configuration: names, shapes, number formats, and that every number is finite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from clip_model.config import CLIPConfig
from clip_model.header import TOKENIZER, read_header
from clip_model.mobile.kinds import STAGES
from clip_model.preprocessing.tokenizers import tokenizer_of
from clip_model.sizes.shapes import COUNTER, check_shapes, shapes_of, some

_KEPT = (torch.float16, torch.float32)
_BLOCKS = {"siglip": "siglip_text.transformer.resblocks", "roberta": "roberta_text.blocks"}  # of a text tower's kind
_VARIANCE = ".running_var"  # of a batch norm, which takes its root
_SCALARS = ("logit_scale", "logit_bias")  # which some programs save as a row of one


def fitted(config: CLIPConfig, state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors of a state dict, in our names, as they are stored: half and float kept, bfloat16 widened to float.

    Args:
        config: what the model is said to look like.
        state: its tensors.
        source: what a message calls it.

    Raises:
        ValueError: if the tensors are not exactly those that the configuration asks for, one has numbers of another
            kind or such as are not finite, or no tokenizer has the model's vocabulary.
    """
    state = dict(state)
    tokenizer = state.pop(TOKENIZER, None)
    _check_towers(state, source)
    _check_depth(config, state, source)
    tokenizer_of(config.text, None if tokenizer is None else tokenizer.numpy().tobytes(), source)
    expected = shapes_of(config)
    # How long batch norms were trained: no feature depends on it.
    counters = {name: torch.zeros((), dtype=torch.int64) for name in expected if name.endswith(COUNTER)}
    state |= {name: state[name].reshape(()) for name in _SCALARS if name in state and state[name].shape == (1,)}
    whole = {**counters, **state}
    check_shapes(expected, {name: tuple(value.shape) for name, value in whole.items()}, source)
    stored = {name: _stored(name, whole[name], source) for name in expected}
    return stored if tokenizer is None else {**stored, TOKENIZER: tokenizer}


def read_own(path: Path) -> tuple[CLIPConfig, dict[str, Tensor], bytes | None]:
    """The configuration, the tensors by name as they are stored, and what is carried of a tokenizer.

    The tensors are views of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no model or damaged, or its tensors are not those that its configuration asks for.
    """
    config = read_header(path).config
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    tokenizer = state.pop(TOKENIZER, None)
    # The header said so already, and the file may have been replaced since.
    check_shapes(shapes_of(config), {name: tuple(value.shape) for name, value in state.items()}, str(path))
    return config, state, None if tokenizer is None else tokenizer.numpy().tobytes()


def check_whole(config: CLIPConfig, state: dict[str, Tensor], tokenizer: bytes | None, source: str) -> None:
    """See that every number is finite and texts can be tokenised, as loading and embedding do.

    Raises:
        ValueError: naming `source` and what is wrong.
    """
    for name, value in state.items():
        check_numbers(name, value, source)
    tokenizer_of(config.text, tokenizer, source)


def count_children(names: Iterable[str], prefix: str) -> int:
    """Count the numbered children of a module, by the names of their tensors."""
    return len({name.removeprefix(f"{prefix}.").split(".")[0] for name in names if name.startswith(f"{prefix}.")})


def _check_towers(state: Mapping[str, Tensor], source: str) -> None:
    image = any(name.startswith("visual.") for name in state)
    text = any(name.startswith(("transformer.", "token_embedding.", "siglip_text.", "roberta_text.")) for name in state)
    if not image and not text:
        raise ValueError(f"{source} is no CLIP: it holds none of its tensors ({some(sorted(state))})")
    if not image or not text:
        there, lacking = ("image", "text") if image else ("text", "image")
        raise ValueError(f"{source} holds a tower for {there} alone; a search needs the one for {lacking} too")


def _check_depth(config: CLIPConfig, state: Mapping[str, Tensor], source: str) -> None:
    """Compare the numbers of blocks, which say more than lists of tensors that are missing or too many."""
    layers = config.vision.layers
    if isinstance(layers, tuple):
        named = "visual.stages.{}.blocks" if config.vision.variant in STAGES else "visual.layer{}"
        first = 0 if config.vision.variant in STAGES else 1
        depths = {named.format(stage): depth for stage, depth in enumerate(layers, first)}
    else:
        depths = {"visual.transformer.resblocks": layers}
    text = _BLOCKS.get(config.text.kind.partition("-")[0], "transformer.resblocks")
    for prefix, said in {**depths, text: config.text.layers}.items():
        found = count_children(state, prefix)
        if found != said:
            raise ValueError(f"{source} does not fit its configuration: {prefix} has {found} blocks, that says {said}")


def check_numbers(name: str, value: Tensor, source: str) -> None:
    """See that every number of a tensor is finite, and that no variance is negative.

    Raises:
        ValueError: naming `source` and the tensor.
    """
    # A sum is quick, and finite only where all numbers are; it may be too large where they are, too.
    if not value.sum(dtype=torch.float32).isfinite() and not torch.isfinite(value).all():
        raise ValueError(f"{source}: the tensor {name} holds values that are not finite")
    if name.endswith(_VARIANCE) and (value < 0).any():
        raise ValueError(f"{source}: the tensor {name} holds variances that are negative")


def _stored(name: str, value: Tensor, source: str) -> Tensor:
    if name.endswith(COUNTER):
        if value.is_floating_point() or value.is_complex():
            raise ValueError(f"{source}: the tensor {name} counts, and holds numbers of type {value.dtype}")
        return value.to(torch.int64).contiguous()
    if value.dtype not in (*_KEPT, torch.bfloat16):
        raise ValueError(
            f"{source}: the tensor {name} is of type {value.dtype}; float16, bfloat16 and float32 are known"
        )
    kept = value if value.dtype in _KEPT else value.float()
    check_numbers(name, kept, source)
    return kept.detach().contiguous()
