"""Whether tensors are those of a configuration: names, shapes, number formats, and that every number is finite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from clip_model.config import CLIPConfig
from clip_model.header import TOKENIZER
from clip_model.model import CLIP
from clip_model.preprocessing.tokenizers import tokenizer_of

_MOST_BLOCKS = 100  # of a tower; bigG has 48
_NAMED = 5  # how many differing tensors a message names
_KEPT = (torch.float16, torch.float32)
_BLOCKS = {"siglip": "siglip_text.transformer.resblocks", "roberta": "roberta_text.blocks"}  # of a text tower's kind
_SCALARS = ("logit_scale", "logit_bias")  # which some programs save as a row of one
_COUNTER = "num_batches_tracked"  # of batch norms: how long they were trained, on which no feature depends


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
    try:
        tokenizer_of(config.text, None if tokenizer is None else tokenizer.numpy().tobytes())
    except ValueError as error:
        raise ValueError(f"{source} cannot be used: {error}") from error
    with torch.device("meta"):  # shapes alone: a configuration may ask for any size
        expected = CLIP(config).state_dict()
    counters = {name: torch.zeros((), dtype=torch.int64) for name in expected if name.endswith(_COUNTER)}
    state |= {name: state[name].reshape(()) for name in _SCALARS if name in state and state[name].shape == (1,)}
    whole = {**counters, **state}
    check_tensors(expected, whole, source)
    stored = {name: _stored(name, whole[name], like, source) for name, like in expected.items()}
    return stored if tokenizer is None else {**stored, TOKENIZER: tokenizer}


def check_tensors(expected: Mapping[str, Tensor], got: Mapping[str, Tensor], source: str) -> None:
    """Compare names and shapes.

    Raises:
        ValueError: naming the first that differ.
    """
    missing, unknown = sorted(expected.keys() - got.keys()), sorted(got.keys() - expected.keys())
    if missing or unknown:
        raise ValueError(
            f"{source} does not fit its configuration: {len(missing)} tensors missing ({_some(missing)}), "
            f"{len(unknown)} unknown ({_some(unknown)})"
        )
    wrong = [
        f"{name}: expected {tuple(like.shape)}, got {tuple(got[name].shape)}"
        for name, like in expected.items()
        if like.shape != got[name].shape
    ]
    if wrong:
        raise ValueError(f"{source} does not fit its configuration: {len(wrong)} wrong shapes ({_some(wrong)})")


def count_children(names: Iterable[str], prefix: str) -> int:
    """Count the numbered children of a module, by the names of their tensors."""
    return len({name.removeprefix(f"{prefix}.").split(".")[0] for name in names if name.startswith(f"{prefix}.")})


def _check_towers(state: Mapping[str, Tensor], source: str) -> None:
    image = any(name.startswith("visual.") for name in state)
    text = any(name.startswith(("transformer.", "token_embedding.", "siglip_text.", "roberta_text.")) for name in state)
    if not image and not text:
        raise ValueError(f"{source} is no CLIP: it holds none of its tensors ({_some(sorted(state))})")
    if not image or not text:
        there, lacking = ("image", "text") if image else ("text", "image")
        raise ValueError(f"{source} holds a tower for {there} alone; a search needs the one for {lacking} too")


def _check_depth(config: CLIPConfig, state: Mapping[str, Tensor], source: str) -> None:
    """Compare the number of blocks, before a configuration has as many built as it pleases."""
    layers = config.vision.layers
    if isinstance(layers, tuple):
        depths = {f"visual.layer{stage}": depth for stage, depth in enumerate(layers, 1)}
    else:
        depths = {"visual.transformer.resblocks": layers}
    text = _BLOCKS.get(config.text.kind.partition("-")[0], "transformer.resblocks")
    for prefix, said in {**depths, text: config.text.layers}.items():
        found = count_children(state, prefix)
        if found > _MOST_BLOCKS:
            raise ValueError(f"{source} is refused: {prefix} has {found} blocks, more than any model")
        if found != said:
            raise ValueError(f"{source} does not fit its configuration: {prefix} has {found} blocks, that says {said}")


def _stored(name: str, value: Tensor, like: Tensor, source: str) -> Tensor:
    if not like.is_floating_point():
        if value.is_floating_point() or value.is_complex():
            raise ValueError(f"{source}: the tensor {name} counts, and holds numbers of type {value.dtype}")
        return value.to(torch.int64).contiguous()
    if value.dtype not in (*_KEPT, torch.bfloat16):
        raise ValueError(
            f"{source}: the tensor {name} is of type {value.dtype}; float16, bfloat16 and float32 are known"
        )
    kept = value if value.dtype in _KEPT else value.float()
    if not torch.isfinite(kept).all():
        raise ValueError(f"{source}: the tensor {name} holds values that are not finite")
    return kept.detach().contiguous()


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "") if names else "none"
