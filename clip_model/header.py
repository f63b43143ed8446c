"""What a safetensors file says about itself: its metadata, and the type and shape of each tensor.

Reads the first few kilobytes only, and imports no torch, so that naming a model stays cheap. The layout is that of
https://github.com/huggingface/safetensors: eight bytes of length, a JSON object, then the tensors' bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from clip_model.config import CLIP_TEXTS, CLIPConfig
from clip_model.sizes.shapes import COUNTER, check_shapes, shapes_of
from clip_model.stored_file import stamp

CONFIG_KEY = "config"
TOKENIZER = "tokenizer"  # of the bytes, among the tensors, that a model's own tokenizer is made of
_LENGTH_BYTES = 8
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"  # what checkpoints of PyTorch begin with
_LONGEST_HEADER = 100_000_000  # the format's own bound
_NUMBERS, _COUNTS, _BYTES = ("F16", "BF16", "F32"), ("I64",), ("U8",)  # types as the format names them
_NO_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked", TOKENIZER)  # state, not learned


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies and how its numbers are written.

    Attributes:
        dtype: the format's name of the numbers, such as "F16"; "" where the file has none.
        shape: of the tensor.
        start: its first byte, counted from the beginning of the file.
        end: the byte after its last.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """The sound header of a model's weights file.

    Attributes:
        config: what the model looks like.
        metadata: the other strings that were saved with it.
        tensors: what is said of each tensor, by name.
    """

    config: CLIPConfig
    metadata: Mapping[str, str]
    tensors: Mapping[str, Entry]

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(math.prod(entry.shape) for name, entry in self.tensors.items() if not name.endswith(_NO_PARAMETERS))

    @property
    def image_parameters(self) -> int:
        """How many numbers the image tower has."""
        return sum(math.prod(entry.shape) for name, entry in self.tensors.items() if name.startswith("visual."))


def read_header(path: Path) -> Header:
    """Read and check the header of a weights file, once while the file stays as it is.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a safetensors file, is cut short, holds no configuration of a CLIP, or its tensors have
            other names, shapes or types than those that the configuration asks for.
    """
    return _read_header(path, stamp(path))


@lru_cache(maxsize=8)
def _read_header(path: Path, stamped: tuple[int, ...]) -> Header:
    """Read it; its stamp only makes a replaced file a different question."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or not 2 <= length <= min(_LONGEST_HEADER, size - _LENGTH_BYTES):
            raise ValueError(_foreign(path, size))
        entries = _parse(path, file.read(length))
    metadata = entries.pop("__metadata__", {})
    tensors = _tensors(path, entries, _LENGTH_BYTES + length)
    expected = max((entry.end for entry in tensors.values()), default=_LENGTH_BYTES + length)
    if size != expected:
        raise ValueError(f"{path} is damaged or cut short: its header announces {expected} bytes, it has {size}")
    texts = {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else {}
    config = _config(path, texts)
    _check_tensors(path, config, tensors)
    if stamp(path) != stamped:
        raise ValueError(f"{path} was written to while it was read; wait until it is whole")
    return Header(config, {key: value for key, value in texts.items() if key != CONFIG_KEY}, tensors)


def _foreign(path: Path, size: int) -> str:
    """What is wrong with a file that does not begin as a safetensors file does."""
    with path.open("rb") as file:
        start = file.read(len(_ZIP))
    if start == _ZIP or start[:1] == _PICKLE:
        return (
            f"{path} is a checkpoint of PyTorch, and not one of picsift's own files; "
            "named as a model, by --model, it is converted first, if it is OpenAI's or OpenCLIP's"
        )
    return f"{path} is not a safetensors file, or was cut short within its header ({size} bytes)"


def carries_config(path: Path) -> bool:
    """Whether a file is one of ours by its header; what is wrong with one that is damaged, `read_header` says."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if length > min(_LONGEST_HEADER, size):
                return False
            return CONFIG_KEY in _parse(path, file.read(length)).get("__metadata__", {})
    except (OSError, ValueError, TypeError):
        return False


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(data)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, dict):
        raise ValueError(f"{path} is not a safetensors file: its header is not a JSON object")
    return entries


def _tensors(path: Path, entries: Mapping[str, Any], data: int) -> dict[str, Entry]:
    """The entries of a header whose tensors' bytes begin at byte `data` of the file."""
    tensors: dict[str, Entry] = {}
    for name, entry in entries.items():
        try:
            shape, (start, end) = tuple(entry["shape"]), entry["data_offsets"]
            if not all(type(number) is int and number >= 0 for number in (*shape, start, end)):
                raise ValueError("no whole numbers")
            tensors[name] = Entry(str(entry.get("dtype", "")), shape, data + start, data + end)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"no shape or place for the tensor {name!r:.80}"
            raise ValueError(f"{path} is not a safetensors file: {problem}") from error
    return tensors


def _check_tensors(path: Path, config: CLIPConfig, tensors: Mapping[str, Entry]) -> None:
    expected = shapes_of(config)
    if config.text.kind not in (*CLIP_TEXTS, "sentence"):  # its tokenizer has any length
        expected[TOKENIZER] = tensors[TOKENIZER].shape[:1] if TOKENIZER in tensors else (0,)
    check_shapes(expected, {name: entry.shape for name, entry in tensors.items()}, str(path))
    for name, entry in tensors.items():
        known = _COUNTS if name.endswith(COUNTER) else _BYTES if name == TOKENIZER else _NUMBERS
        if entry.dtype not in known:
            kind, kinds = f"{entry.dtype:.80}", ", ".join(known)
            raise ValueError(f"{path}: the tensor {name:.120} is of type {kind}; known there: {kinds}")


def _config(path: Path, metadata: Mapping[str, str]) -> CLIPConfig:
    if CONFIG_KEY not in metadata:
        raise ValueError(
            f"{path} holds no model configuration (metadata key {CONFIG_KEY!r}): it was not saved by this program. "
            "Beside the weights of another one its open_clip_config.json or config.json has to lie"
        )
    try:
        return CLIPConfig.from_dict(json.loads(metadata[CONFIG_KEY]))
    except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} holds a model configuration that cannot be used: {error}") from error
