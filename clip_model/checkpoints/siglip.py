"""Folders of Hugging Face's `SiglipModel`, SigLIP and SigLIP 2 for squares, with their tokenizer: read and written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clip_model.checkpoints.said import Preparation, Said, prepared
from clip_model.checkpoints.sources import HUGGING_FACE_CONFIG, PREPROCESSORS, TOKENIZER_FILES, Source, read_json
from clip_model.checkpoints.weights import JOINED, apart, is_counting, joined, read_weights
from clip_model.config import PROBE, CLIPConfig, TextConfig, VisionConfig
from clip_model.header import TOKENIZER
from clip_model.preprocessing.pieces import CANONICAL, LOWER, envelope, token_id, token_of

_HALF = (0.5, 0.5, 0.5)
_RESIZES = {"2": "squash-bilinear", "3": "squash"}  # by Pillow's number of the filter
_EPSILON = 1e-6
# By the class that a folder's tokenizer_config.json names: how texts are cleaned, and what fills and what ends a text.
_TOKENIZERS = {
    **dict.fromkeys(("SiglipTokenizer", "T5Tokenizer", "T5TokenizerFast"), (CANONICAL, "</s>", "</s>")),
    **dict.fromkeys(("Siglip2Tokenizer", "GemmaTokenizer", "GemmaTokenizerFast"), (LOWER, "<pad>", "<eos>")),
}
_NAMES = {
    "text_model.embeddings.token_embedding.weight": "siglip_text.token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "siglip_text.positional_embedding",
    "text_model.final_layer_norm": "siglip_text.ln_final",
    "text_model.head": "siglip_text.proj",
    "vision_model.embeddings.patch_embedding": "visual.conv1",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.post_layernorm": "visual.ln_post",
    "vision_model.head.attention.in_proj_weight": "visual.head.attn.in_proj_weight",
    "vision_model.head.attention.in_proj_bias": "visual.head.attn.in_proj_bias",
    "vision_model.head.attention.out_proj": "visual.head.attn.out_proj",
    "vision_model.head.layernorm": "visual.head.ln",
    "vision_model.head.mlp.fc1": "visual.head.mlp.c_fc",
    "vision_model.head.mlp.fc2": "visual.head.mlp.c_proj",
    "vision_model.head.probe": "visual.head.probe",
    "logit_scale": "logit_scale",
    "logit_bias": "logit_bias",
}
_LAYERS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_LAYER = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.([\w.]+)\.(weight|bias)")
_BLOCK = re.compile(r"(visual|siglip_text)\.transformer\.resblocks\.(\d+)\.([\w.]+)")
_PROBE = "visual.head.probe"  # of which they have two axes more


def read_siglip(source: Source, said: Said) -> tuple[CLIPConfig, dict[str, Tensor]]:
    """The configuration and the tensors of a folder, the bytes of its tokenizer among them.

    Raises:
        ValueError: if it needs a network that this program has not, or lacks its tokenizer.
    """
    files = {file.name: file for file in source.configs}
    config = read_config(said, [files[name] for name in PREPROCESSORS if name in files])
    tokenizer = torch.frombuffer(bytearray(_tokenizer(files, source.path)), dtype=torch.uint8)
    return config, {**renamed(read_weights(source), str(source.path)), TOKENIZER: tokenizer}


def renamed(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors under our names; those that are none of a SiglipModel's stay as they are.

    Raises:
        ValueError: if a layer lacks its queries, keys or values.
    """
    ours: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        layer = _LAYER.fullmatch(name)
        if layer is not None:
            tower, number, part, kind = layer.groups()
            block = f"{'visual' if tower == 'vision' else 'siglip_text'}.transformer.resblocks.{number}"
            if part in JOINED:
                parts.setdefault(f"{block}.attn.in_proj_{kind}", {})[part] = value
            else:
                ours[f"{block}.{_LAYERS.get(part, part)}.{kind}"] = value
        elif not is_counting(name, value):
            module, _, kind = name.rpartition(".")
            known = _NAMES.get(name) or (f"{_NAMES[module]}.{kind}" if module in _NAMES else name)
            ours[known] = value.flatten() if known == _PROBE and value.dim() == 3 else value
    return {**ours, **joined(parts, source)}


def read_config(said: Said, preprocessors: list[Path]) -> CLIPConfig:
    """The configuration that a `config.json` describes, with what the files beside it say of pictures.

    Raises:
        ValueError: if it needs a network that this program has not.
    """
    for tower in (vision := said.part("vision_config"), text := said.part("text_config")):
        if tower.get("hidden_act", "gelu_pytorch_tanh") != "gelu_pytorch_tanh":
            raise tower.refusal("hidden_act", "'gelu_pytorch_tanh' is known")
        tower.near("layer_norm_eps", _EPSILON, 1e-12)
    if vision.get("vision_use_head", True) is not True:
        raise vision.refusal("vision_use_head", "a SigLIP without its head has no features")
    if vision.number("num_channels", 3) != 3:
        raise vision.refusal("num_channels", "pictures have three")
    width, text_width, side = (
        vision.number("hidden_size", 768),
        text.number("hidden_size", 768),
        vision.number("image_size", 224),
    )
    heads, dim = vision.number("num_attention_heads", 12), text.number("projection_size", text_width)
    if width % heads:
        raise vision.refusal("num_attention_heads", f"the width {width} cannot be divided by it")
    if dim != width:
        raise text.refusal("projection_size", f"texts are compared with pictures, whose features have {width}")
    mean, std, resize = prepared(preprocessors, lambda said: _pictures(said, side), (_HALF, _HALF, "squash"))
    return CLIPConfig(
        dim,
        VisionConfig(
            image_size=side,
            layers=vision.number("num_hidden_layers", 12),
            width=width,
            patch_size=vision.number("patch_size", 16),
            head_width=width // heads,
            pooling=PROBE,
            mean=mean,
            std=std,
            mlp_width=_mlp_width(vision, width),
            resize=resize,
        ),
        TextConfig(
            context_length=text.number("max_position_embeddings", 64),
            vocab_size=text.number("vocab_size", 32000),
            width=text_width,
            heads=text.number("num_attention_heads", 12),
            layers=text.number("num_hidden_layers", 12),
            kind="siglip",
            mlp_width=_mlp_width(text, text_width),
        ),
        quick_gelu=False,
    )


def _mlp_width(tower: Said, width: int) -> int:
    inner = tower.number("intermediate_size", 3072)
    return 0 if inner == 4 * width else inner


def _pictures(said: Said, side: int) -> Preparation:
    """Mean and deviation of the colours, and how a picture is squashed."""
    said.prepares("Siglip")
    if said.get("do_center_crop", False):
        raise said.refusal("do_center_crop", "SigLIP sees the whole picture")
    resize = _RESIZES.get(str(said.get("resample", 3)))
    if resize is None:
        raise said.refusal("resample", "2, bilinear, and 3, bicubic, are known")
    if said.get("size", square := {"height": side, "width": side}) != square:
        raise said.refusal("size", f"both sides become {side}, the image tower's size")
    return said.color("image_mean", _HALF), said.color("image_std", _HALF), resize


def _tokenizer(files: dict[str, Path], folder: Path) -> bytes:
    """What a weights file of ours carries of the folder's tokenizer."""
    lacking = [name for name in TOKENIZER_FILES if name not in files]
    if lacking:
        raise ValueError(
            f"{folder} lacks {lacking[0]}: a SigLIP has a tokenizer of its own, as {' and '.join(TOKENIZER_FILES)}"
        )
    said = Said(read_json(files[TOKENIZER_FILES[1]]), files[TOKENIZER_FILES[1]])
    known = _TOKENIZERS.get(str(said.get("tokenizer_class")))
    if known is None:
        raise said.refusal("tokenizer_class", f"{', '.join(_TOKENIZERS)} are known")
    clean, pad, end = known
    if clean == CANONICAL and said.get("do_lower_case", True) is not True:
        raise said.refusal("do_lower_case", "SigLIP's texts are lower-cased")
    pad, end = _content(said.get("pad_token"), pad), _content(said.get("eos_token"), end)
    tokenizer = read_json(files[TOKENIZER_FILES[0]])
    ids = {name: token_id(tokenizer, name) for name in (pad, end)}
    for name, number in ids.items():
        if number is None:
            raise ValueError(f"{files[TOKENIZER_FILES[0]]} has no token {name!r}, which fills or ends a text")
    return envelope(tokenizer, clean=clean, pad=ids[pad] or 0, end=ids[end] or 0)


def _content(token: Any, default: str) -> str:
    """A special token, which is a text, or an object that holds it."""
    return str(token.get("content", default) if isinstance(token, dict) else token or default)


def their_config(config: CLIPConfig, carried: bytes) -> dict[str, dict[str, Any]]:
    """The JSON files of a folder by name; `carried` is what the weights file holds of the tokenizer."""
    v, t, said = config.vision, config.text, json.loads(carried)
    vision, text = _their_tower(v, v.heads, "vision"), _their_tower(t, t.heads, "text")
    text |= {"max_position_embeddings": t.context_length, "vocab_size": t.vocab_size, "projection_size": t.width}
    text |= {"pad_token_id": said["pad"]} | dict.fromkeys(("bos_token_id", "eos_token_id"), said["end"])
    names = {clean: name for name, (clean, *_) in reversed(_TOKENIZERS.items())}
    marks = {f"{mark}_token": token_of(said["tokenizer"], said[key]) for mark, key in (("pad", "pad"), ("eos", "end"))}
    return {
        TOKENIZER_FILES[1]: {
            "tokenizer_class": names[said["clean"]], "add_bos_token": False, "add_eos_token": True,
            "model_max_length": t.context_length, "padding_side": "right", **marks,
        },
        PREPROCESSORS[0]: {
            "image_processor_type": "SiglipImageProcessor", "image_mean": list(v.mean), "image_std": list(v.std),
            "size": {"height": v.image_size, "width": v.image_size},
            "resample": next(int(by) for by, resize in _RESIZES.items() if resize == v.resize),
            **dict.fromkeys(("do_resize", "do_rescale", "do_normalize", "do_convert_rgb"), True),
        },
        HUGGING_FACE_CONFIG: {
            "model_type": "siglip", "architectures": ["SiglipModel"], "text_config": text,
            "vision_config": {**vision, "image_size": v.image_size, "patch_size": v.patch_size},
        },
    }  # fmt: skip


def their_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under Hugging Face's names: the inverse of `renamed`."""
    names = {ours: theirs for theirs, ours in _NAMES.items()}
    layers = {ours: theirs for theirs, ours in _LAYERS.items()}
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        module, _, kind = name.rpartition(".")
        block = _BLOCK.fullmatch(name)
        if block is None:
            shaped = value.reshape(1) if value.dim() == 0 else value.view(1, 1, -1) if name == _PROBE else value
            found[names.get(name) or f"{names[module]}.{kind}"] = shaped
            continue
        tower = "vision" if block[1] == "visual" else "text"
        found |= apart(f"{tower}_model.encoder.layers.{block[2]}", block[3], value, layers)
    return found


def _their_tower(tower: VisionConfig | TextConfig, heads: int, name: str) -> dict[str, Any]:
    return {
        "hidden_size": tower.width, "intermediate_size": tower.mlp_width or 4 * tower.width, "layer_norm_eps": _EPSILON,
        "num_attention_heads": heads, "num_hidden_layers": tower.layers, "hidden_act": "gelu_pytorch_tanh",
        "model_type": f"siglip_{name}_model",
    }  # fmt: skip
