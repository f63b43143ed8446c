"""Our weights files as folders that open_clip and transformers load: the same tensors under their names, and a config.

Towers that those have no network for are refused. A RoBERTa's and SigLIP's tokenizers are written, and CLIP's for
transformers, which has none of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from clip_model.checkpoints import roberta, siglip
from clip_model.checkpoints.fitting import check_whole, read_own
from clip_model.checkpoints.hugging_face import LAYERS, NAMES, TRANSPOSED
from clip_model.checkpoints.sources import (
    HUGGING_FACE_CONFIG,
    OPEN_CLIP_CONFIG,
    OPEN_CLIP_WEIGHTS,
    OWN_NAME,
    TOKENIZER_FILES,
)
from clip_model.checkpoints.weights import apart
from clip_model.config import CLIP_TEXTS, PROBE, CLIPConfig, TextConfig, VisionConfig
from clip_model.header import read_header
from clip_model.mobile import timm_names
from clip_model.mobile.kinds import KINDS
from clip_model.mobile.published import TRUNKS
from clip_model.preprocessing.tokenizer import MARKS, vocabulary_files
from clip_model.stored_file import replacing

_START, _END = 49406, 49407
_MARKS = {
    "bos_token": MARKS[0],
    **dict.fromkeys(("eos_token", "pad_token", "unk_token"), MARKS[1]),
}


def export(weights: Path, folder: Path, layout: str) -> str:
    """Write a model as another program's folder.

    Args:
        weights: a weights file of ours.
        folder: where to; made if it is not there.
        layout: "openclip" or "huggingface".

    Returns:
        What the other program does otherwise with pictures, as a sentence; "" where it does nothing so.

    Raises:
        ValueError: if the layout has no such towers, or the file is damaged or could not be loaded.
        FileExistsError: if the folder holds something, or is a file.
        OSError: if it cannot be written.
    """
    config = read_header(weights).config
    if layout not in _LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}; known are: {', '.join(_LAYOUTS)}")
    _check(config, layout, weights)
    config, state, tokenizer = read_own(weights)
    check_whole(config, state, tokenizer, str(weights))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise FileExistsError(f"{folder} is no folder and cannot become one; name an empty or new folder") from error
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds something; name an empty or new folder")
    name, configs, renamed = _LAYOUTS[layout]
    carried = tokenizer or b""
    if config.vision.variant is not None:
        renamed = partial(_of_timm, config.vision.variant)
    if config.text.kind == "siglip":
        configs, renamed = partial(siglip.their_config, carried=carried), siglip.their_names
    texts = dict(vocabulary_files()) if layout == "huggingface" and config.text.kind == "causal" else {}
    files = {called: text.encode() for called, text in texts.items()}
    if carried:
        files[TOKENIZER_FILES[0]] = roberta.their_tokenizer(carried)
    files |= {called: json.dumps(values, indent=2).encode() for called, values in configs(config).items()}
    put: dict[Path, os.stat_result] = {}
    try:
        with replacing(folder / name) as file:
            save_file({theirs: value.contiguous() for theirs, value in renamed(state).items()}, file, {"format": "pt"})
            put[folder / name] = file.stat()
        for called, data in files.items():  # the configuration comes last: without it there is no model
            with replacing(folder / called) as file:
                file.write_bytes(data)
                put[folder / called] = file.stat()
    except BaseException as error:
        _take_back(put)
        if isinstance(error, OSError | SafetensorError):  # safetensors tells of a full disk in a class of its own
            raise OSError(
                f"{folder} cannot be written ({error}); nothing that this export wrote is left there"
            ) from error
        raise
    return _otherwise(config, layout)


def _take_back(put: Mapping[Path, os.stat_result]) -> None:
    """Delete files as they were put there; one that took the place of such a file meanwhile is somebody else's."""
    for file, stat in put.items():
        with suppress(FileNotFoundError):
            if os.path.samestat(stat, file.stat()):
                file.unlink()


def _otherwise(config: CLIPConfig, layout: str) -> str:
    """What is said of a model whose pictures become RGB at another time in the other program."""
    if config.text.kind == "siglip" or config.vision.resize.startswith("squash") == (layout == "huggingface"):
        return ""
    other, when = ("transformers", "before") if layout == "huggingface" else ("open_clip", "after")
    return (
        f"{other} makes a picture RGB {when} it scales it, and picsift does the other for this model: a picture with a "
        "palette or transparency has other features there; one that is RGB or grey has the same."
    )


def _check(config: CLIPConfig, layout: str, weights: Path) -> None:
    v = config.vision
    lacking = None
    of_roberta = layout == "openclip" and config.text.kind.startswith("roberta-")
    of_siglip = layout == "huggingface" and config.text.kind == "siglip" and v.pooling == PROBE
    of_clip = config.text.kind == "causal" or (layout == "openclip" and config.text.kind in CLIP_TEXTS)
    if not of_clip and not of_roberta and not of_siglip:
        lacking = f"a text tower of the kind {config.text.kind!r}"
    elif v.variant in KINDS:
        if layout != "openclip":
            lacking = f"an image tower of a MobileCLIP ({v.variant})"
        elif _trunk_of(v) is None:
            raise ValueError(f"{weights} cannot be exported: timm has no image tower {v.variant} of its sizes")
    elif v.variant is not None or (v.pooling == PROBE) != of_siglip:
        lacking = f"an image tower {v.variant or 'of a SigLIP'!r}"
    elif layout == "huggingface" and v.patch_size is None:
        lacking = "a ResNet"
    if lacking is not None:
        raise ValueError(f"{weights} cannot be exported: the layout {layout!r} has no place for {lacking}")


def _open_clip(config: CLIPConfig) -> dict[str, Any]:
    v, t = config.vision, config.text
    vision: dict[str, Any] = {"image_size": v.image_size}
    trunk = _trunk_of(v)
    if trunk is not None:
        vision |= {"timm_model_name": trunk, "timm_model_pretrained": False, "timm_pool": TRUNKS[trunk].pool}
        vision |= {"timm_proj": None, "timm_drop": 0.0, "timm_drop_path": 0.0}
    else:
        vision |= {"layers": v.layers, "width": v.width, "head_width": v.head_width}
    if trunk is None and v.patch_size is not None:
        vision |= {"patch_size": v.patch_size, **_ratio(v)}
    text: dict[str, Any] = {"context_length": t.context_length, "vocab_size": t.vocab_size, "width": t.width}
    text |= {"heads": t.heads, "layers": t.layers, **_ratio(t)}
    model = {
        "embed_dim": config.embed_dim,
        "quick_gelu": config.quick_gelu,
        "vision_cfg": vision,
        "text_cfg": text if t.kind in CLIP_TEXTS else roberta.their_text_config(t),
    }
    if t.kind == "unmasked":
        text["no_causal_mask"] = True
    if trunk is not None:
        model["custom_text"] = True
    how, _, by = v.resize.partition("-")
    pictures = {"mean": list(v.mean), "std": list(v.std), "interpolation": by or "bicubic"}
    pictures["resize_mode"] = "shortest" if how == "crop" else "squash"
    said = {OPEN_CLIP_CONFIG: {"model_cfg": model, "preprocess_cfg": pictures}}
    return said if t.kind in CLIP_TEXTS else {TOKENIZER_FILES[1]: roberta.TOKENIZER_CONFIG, **said}


def _trunk_of(vision: VisionConfig) -> str | None:
    """The name that timm has for an image tower of MobileCLIP's; None where it has none of its sizes."""
    sizes = (vision.variant, vision.layers, vision.width, vision.patch_size, vision.head_width, vision.mlp_width)
    for name, trunk in TRUNKS.items():
        if astuple(trunk)[:-2] == sizes and trunk.image_size in (None, vision.image_size):
            return name
    return None


def _ratio(tower: VisionConfig | TextConfig) -> dict[str, float]:
    """The width of the MLPs as open_clip has it: a factor, of which the product is cut to a whole number."""
    return {"mlp_ratio": (tower.mlp_width + 0.25) / tower.width} if tower.mlp_width else {}


def _of_timm(kind: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the names of open_clip's models with an image tower of timm."""
    return timm_names.their_names(roberta.their_names(state), kind)


def _hugging_face(config: CLIPConfig) -> dict[str, Any]:
    v, t, act = config.vision, config.text, "quick_gelu" if config.quick_gelu else "gelu"
    vision = {
        "hidden_size": v.width, "intermediate_size": v.mlp_width or 4 * v.width, "num_hidden_layers": v.layers,
        "num_attention_heads": v.heads, "image_size": v.image_size, "patch_size": v.patch_size, "hidden_act": act,
        "projection_dim": config.embed_dim, "model_type": "clip_vision_model",
    }  # fmt: skip
    text = {
        "hidden_size": t.width, "intermediate_size": t.mlp_width or 4 * t.width, "num_hidden_layers": t.layers,
        "num_attention_heads": t.heads, "max_position_embeddings": t.context_length, "vocab_size": t.vocab_size,
        "hidden_act": act, "projection_dim": config.embed_dim, "bos_token_id": _START, "eos_token_id": _END,
        "model_type": "clip_text_model",
    }  # fmt: skip
    model = {"model_type": "clip", "architectures": ["CLIPModel"], "projection_dim": config.embed_dim}
    side, crops = {"height": v.image_size, "width": v.image_size}, v.resize.startswith("crop")
    pictures = {
        "image_processor_type": "CLIPImageProcessor", "image_mean": list(v.mean), "image_std": list(v.std),
        "size": {"shortest_edge": v.image_size} if crops else side, "crop_size": side, "do_center_crop": crops,
        "resample": 2 if v.resize.endswith("bilinear") else 3,
        **dict.fromkeys(("do_resize", "do_rescale", "do_normalize", "do_convert_rgb"), True),
    }  # fmt: skip
    return {
        TOKENIZER_FILES[1]: {"tokenizer_class": "CLIPTokenizer", "model_max_length": t.context_length, **_MARKS},
        "preprocessor_config.json": pictures,
        HUGGING_FACE_CONFIG: {**model, "vision_config": vision, "text_config": text},
    }


def _their_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under Hugging Face's names: queries, keys and values apart."""
    names = {ours: theirs for theirs, ours in NAMES.items()}
    layers = {ours: theirs for theirs, ours in LAYERS.items()}
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        tower, _, block = name.rpartition("transformer.resblocks.")
        if block == name:
            found[names[name]] = value.T if name in TRANSPOSED else value
            continue
        number, part = block.split(".", 1)
        found |= apart(f"{'vision' if tower else 'text'}_model.encoder.layers.{number}", part, value, layers)
    return found


_Layout = tuple[str, Callable[[CLIPConfig], dict[str, Any]], Callable[[Mapping[str, Tensor]], dict[str, Tensor]]]
_LAYOUTS: Mapping[str, _Layout] = {
    "openclip": (OPEN_CLIP_WEIGHTS[0], _open_clip, roberta.their_names),
    "huggingface": (OWN_NAME, _hugging_face, _their_names),
}
