"""The tensors of a source whose weights may be safetensors or torch's files, one or several shards."""

from __future__ import annotations

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from clip_model.checkpoints.sources import Source
from clip_model.checkpoints.torch_files import read_torch_file


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
