"""CLIP from torch primitives: the model, its tokenizer and transforms, training and inference.

Imports nothing of the other packages. The names below are loaded when they are first used, so that asking for a
model's file or fingerprint does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clip_model.checkpoint import load_model, save_model
    from clip_model.config import PRESETS, CLIPConfig
    from clip_model.inference import Encoder, load_encoder
    from clip_model.model import CLIP

__all__ = ["CLIP", "PRESETS", "CLIPConfig", "Encoder", "load_encoder", "load_model", "save_model"]

_HOME = {
    "CLIP": "model",
    "CLIPConfig": "config",
    "Encoder": "inference",
    "PRESETS": "config",
    "load_encoder": "inference",
    "load_model": "checkpoint",
    "save_model": "checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
