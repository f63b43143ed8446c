"""From another program's files to a weights file of ours: read, compared with the configuration, written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from clip_model.checkpoints.converted import unusable
from clip_model.checkpoints.fitting import fitted
from clip_model.checkpoints.hugging_face import read_hugging_face
from clip_model.checkpoints.open_clip import read_open_clip
from clip_model.checkpoints.openai import read_openai
from clip_model.checkpoints.sources import HUGGING_FACE, OPEN_CLIP, OPENAI, Source
from clip_model.config import CLIPConfig, ConfigError
from clip_model.header import CONFIG_KEY
from clip_model.stored_file import replacing

_READERS: Mapping[str, Callable[[Source], tuple[CLIPConfig, dict[str, Tensor]]]] = {
    OPENAI: read_openai,
    OPEN_CLIP: read_open_clip,
    HUGGING_FACE: read_hugging_face,
}


def convert(source: Source, target: Path) -> None:
    """Write the model of `source` to `target`; equal weights and configuration give equal bytes.

    Nothing but the configuration stands beside the tensors: no name, path or time.

    Raises:
        ValueError: if it cannot be loaded exactly; the message says why, and nothing is written.
        OSError: if it cannot be written; the message names the setting.
    """
    try:
        config, state = _READERS[source.layout](source)
    except (TypeError, ZeroDivisionError, OverflowError) as error:  # of a configuration that is nonsense
        raise ValueError(f"{source.path} cannot be used: what it says of its model makes no sense ({error})") from error
    except ConfigError as error:
        raise ValueError(f"{source.path} cannot be used: {error}") from error
    tensors = fitted(config, state, str(source.path))
    try:
        with replacing(target) as partial:
            save_file(tensors, partial, {CONFIG_KEY: json.dumps(config.to_dict())})
    except (OSError, SafetensorError) as error:  # safetensors tells of a full disk in a class of its own
        raise OSError(unusable(target.parent, error)) from error
