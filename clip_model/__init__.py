"""CLIP from torch primitives: the model, its tokenizer and transforms, training and inference.

Imports nothing of the other packages. The names below are loaded when they are first used, so that asking for a
model's file or fingerprint does not import torch.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from clip_model.checkpoint import load_model, save_model
    from clip_model.config import CLIPConfig
    from clip_model.inference import Encoder, load_encoder
    from clip_model.model import CLIP
    from clip_model.sizes.presets import PRESETS

__all__ = ["CLIP", "PRESETS", "CLIPConfig", "Encoder", "load_encoder", "load_model", "save_model"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkpoint": ["load_model", "save_model"],
        "config": ["CLIPConfig"],
        "inference": ["Encoder", "load_encoder"],
        "model": ["CLIP"],
        "sizes.presets": ["PRESETS"],
    },
)
