"""Save and load whole models as safetensors files that describe themselves; read OpenAI's parameter layout.

The header carries the configuration under "config", as JSON, beside any other strings. Neither optimizer state nor
downloads are its business.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.header import CONFIG_KEY, read_header
from clip_model.model import CLIP
from clip_model.registry import resolve

SAVED_PRECISIONS = (torch.float16, torch.float32)
_HEAD_WIDTH = 64  # channels of an attention head in every model of the paper
_OPENAI_EXTRAS = ("input_resolution", "context_length", "vocab_size")  # sizes that OpenAI saves as if they were weights
_NAMED = 5  # how many differing tensors a message names


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
    header = {**(metadata or {}), CONFIG_KEY: json.dumps(model.config.to_dict())}
    write_atomically(path, save(tensors, header))


def load_model(name_or_path: str | Path) -> CLIP:
    """Load a model by registered name or path, in float32, on the CPU, ready to evaluate.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the name is unknown, the file is no model or damaged, or its tensors are not those that its
            configuration asks for.
    """
    path = resolve(name_or_path).path
    config = read_header(path).config
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return _build(config, state, source=str(path))


def from_openai(state: Mapping[str, Tensor]) -> CLIP:
    """Build a model from a state dict in OpenAI's layout, whose configuration its shapes tell.

    Raises:
        ValueError: if the tensors are not those of a CLIP.
    """
    weights = {name: value for name, value in state.items() if name not in _OPENAI_EXTRAS}
    try:
        config = infer_config(weights)
    except KeyError as error:
        raise ValueError(f"this is no CLIP in OpenAI's layout: the tensor {error} is missing") from error
    return _build(config, weights, source="the state dict")


def infer_config(state: Mapping[str, Tensor]) -> CLIPConfig:
    """Return the configuration that explains the shapes of a state dict in OpenAI's layout.

    Raises:
        KeyError: naming a tensor that every such model has.
    """
    width = state["ln_final.weight"].shape[0]
    text = TextConfig(
        context_length=state["positional_embedding"].shape[0],
        vocab_size=state["token_embedding.weight"].shape[0],
        width=width,
        heads=max(1, width // _HEAD_WIDTH),
        layers=_count(state, "transformer.resblocks"),
    )
    vision = _transformer(state) if "visual.proj" in state else _resnet(state)
    return CLIPConfig(state["text_projection"].shape[1], vision, text, quick_gelu=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a crash leaves either the old content or the new, never a part."""
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(0o644)  # mkstemp makes it private
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stored(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if not value.is_floating_point():
        return value.detach().cpu().contiguous()
    stored = value.detach().to("cpu", dtype).contiguous()
    if not torch.isfinite(stored).all():
        raise ValueError(f"the tensor {name} holds values that are not finite in {dtype}; nothing was written")
    return stored


def _build(config: CLIPConfig, state: Mapping[str, Tensor], *, source: str) -> CLIP:
    with _NoRandomWeights():  # the next lines replace them
        model = CLIP(config)
    expected = model.state_dict()
    _check(expected, state, source)
    # A copy: the tensors of a file are views of it, and the file may be replaced.
    weights = {name: state[name].to(like.dtype, copy=True) for name, like in expected.items()}
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval()


class _NoRandomWeights(TorchFunctionMode):
    """Draws nothing. The meta device would not either, but imports torch's compiler to do so: 64 MB and a second."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **given)


def _check(expected: Mapping[str, Tensor], got: Mapping[str, Tensor], source: str) -> None:
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


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "") if names else "none"


def _transformer(state: Mapping[str, Tensor]) -> VisionConfig:
    width, _, patch, _ = state["visual.conv1.weight"].shape
    grid = round((state["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    layers = _count(state, "visual.transformer.resblocks")
    return VisionConfig(image_size=grid * patch, layers=layers, width=width, patch_size=patch, head_width=_HEAD_WIDTH)


def _resnet(state: Mapping[str, Tensor]) -> VisionConfig:
    depths = [_count(state, f"visual.layer{stage}") for stage in (1, 2, 3, 4)]
    grid = round((state["visual.attnpool.positional_embedding"].shape[0] - 1) ** 0.5)
    return VisionConfig(
        image_size=grid * 32,
        layers=(depths[0], depths[1], depths[2], depths[3]),
        width=state["visual.layer1.0.conv1.weight"].shape[0],
        patch_size=None,
        head_width=_HEAD_WIDTH,
    )


def _count(names: Iterable[str], prefix: str) -> int:
    """Count the numbered children of a module, by the names of their tensors."""
    return len({name.removeprefix(f"{prefix}.").split(".")[0] for name in names if name.startswith(f"{prefix}.")})
