"""OpenCLIP's checkpoints: `open_clip_config.json` beside the weights, with towers that are the paper's in other sizes.

Or with a RoBERTa for texts, or an image tower of MobileCLIP's. Other towers of timm or Hugging Face, and variants of
the transformer, are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clip_model.checkpoints import roberta
from clip_model.checkpoints.openai import check_sizes, weights_alone
from clip_model.checkpoints.said import Said
from clip_model.checkpoints.sources import Source, read_json
from clip_model.checkpoints.weights import read_weights
from clip_model.config import CLIP_TEXTS, OPENAI_MEAN, OPENAI_STD, CLIPConfig, TextConfig, VisionConfig
from clip_model.header import TOKENIZER
from clip_model.mobile import timm_names
from clip_model.mobile.published import TRUNKS, Trunk

_MODEL = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text", "init_logit_scale", "output_dict")
_TOWER = ("layers", "width", "mlp_ratio")
_VISION = (*_TOWER, "head_width", "patch_size", "image_size", "patch_dropout")  # patches are dropped in training alone
_TEXT = (*_TOWER, "heads", "context_length", "vocab_size", "no_causal_mask", "pad_id", "eos_id")  # the last two are
# read where they are pooled by alone
_PLAIN_BLOCK = {
    "ls_init_value": (),
    "act_kwargs": ({},),
    "norm_kwargs": ({},),
    "block_type": ("default",),
    **dict.fromkeys(("qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn"), (False,)),
    "scale_fc": (False,),
    "output_tokens": (False,),
    "final_ln_after_pool": (False,),
}
_PLAIN_VISION = {
    **_PLAIN_BLOCK,
    "timm_model_name": ("",),
    "timm_model_pretrained": (False,),
    "attentional_pool": (False,),
    "no_ln_pre": (False,),
    "pos_embed_type": ("learnable",),
    "pool_type": ("tok",),
}
_PLAIN_TEXT = {
    **_PLAIN_BLOCK,
    "hf_model_name": ("",),
    "hf_tokenizer_name": ("",),
    "tokenizer_mode": ("",),
    "tokenizer_kwargs": ({},),
    "embed_cls": (False,),
    "pool_type": ("argmax",),
    "proj_bias": (False,),
    "proj_type": ("linear",),
}
_RESIZES = {"shortest": "crop", "squash": "stretch"}  # "longest" would leave borders
_FILTERS = {"bicubic": "", "bilinear": "-bilinear", "random": ""}  # at random in training alone
_TEXT_PREFIX = "text."  # of models that keep the text tower apart, with the same names in it
_OF_TIMM = tuple(f"timm_{name}" for name in ("pool", "proj", "proj_bias", "drop", "drop_path"))
_HEAD_WIDTH = 64


def read_open_clip(source: Source) -> tuple[CLIPConfig, dict[str, Tensor]]:
    """The configuration and the tensors of a model of open_clip.

    Raises:
        ValueError: if it needs a network that this program has not, or its files do not say what it looks like.
    """
    config = read_config(read_json(source.configs[0]), source.configs[0])
    carried = None if config.text.kind in CLIP_TEXTS else bytearray(roberta.tokenizer_of(source))
    state = read_weights(source)
    if config.vision.variant is not None:
        state = timm_names.renamed(state, config.vision.variant, str(source.path))
    if carried is not None:
        tokenizer = torch.frombuffer(carried, dtype=torch.uint8)
        return config, {**roberta.renamed(state, str(source.path)), TOKENIZER: tokenizer}
    if any(name.startswith(_TEXT_PREFIX) for name in state):
        renamed = {name.removeprefix(_TEXT_PREFIX): value for name, value in state.items()}
        if len(renamed) != len(state):
            raise ValueError(f"{source.path} holds two text towers")
        state = renamed
    check_sizes(state, config, str(source.path))  # of OpenAI's files, which a configuration may stand beside too
    return config, weights_alone(state) if config.text.kind == "causal" else state  # a mask contradicts the others


def read_config(values: Mapping[str, Any], path: Path) -> CLIPConfig:
    """The configuration that the object in an `open_clip_config.json` describes.

    Raises:
        ValueError: if it needs a network that this program has not; the message names the file, `path`.
    """
    file = Said(values, path)
    return _config(file.part("model_cfg"), Said(file.get("preprocess_cfg", {}), path, "preprocess_cfg."))


def _config(model: Said, pictures: Said) -> CLIPConfig:
    vision, text = model.part("vision_cfg"), model.part("text_cfg")
    if "siglip" in str(vision.get("timm_model_name")):
        raise vision.refusal("timm_model_name", "a SigLIP is known in Hugging Face's layout, as Google publishes it")
    model.only(
        {"multimodal_cfg": (), "init_logit_bias": (), "nonscalar_logit_scale": (False,), "cast_dtype": ()}, _MODEL
    )
    pictures.only({"mode": ("RGB",)}, ("size", "mean", "std", "interpolation", "resize_mode", "fill_color"))
    trunk = TRUNKS.get(str(vision.get("timm_model_name")))
    image = _vision(vision, pictures) if trunk is None else _of_timm(trunk, vision, pictures)
    if pictures.get("size") is not None and pictures.number("size") != image.image_size:
        raise pictures.refusal("size", f"the image tower's is {image.image_size}")
    dim = model.number("embed_dim")
    of_texts = roberta.text_config(text, dim) if text.get("hf_model_name") else _text(text)
    return CLIPConfig(dim, image, of_texts, quick_gelu=_flag(model, "quick_gelu"))


def _text(text: Said) -> TextConfig:
    text.only(_PLAIN_TEXT, (*_TEXT, "hf_model_pretrained", "hf_proj_type", "hf_pooler_type"))
    width = text.number("width", 512)
    return TextConfig(
        context_length=text.number("context_length", 77),
        vocab_size=text.number("vocab_size", 49408),
        width=width,
        heads=text.number("heads", 8),
        layers=text.number("layers", 12),
        mlp_width=_mlp_width(text, width),
        kind=CLIP_TEXTS[_flag(text, "no_causal_mask")],
    )


def _of_timm(trunk: Trunk, vision: Said, pictures: Said) -> VisionConfig:
    """A tower whose sizes its name says; those of the paper's, where they are said too, are of none then."""
    others = {name: values for name, values in _PLAIN_VISION.items() if name != "timm_model_name"}
    vision.only(others, (*_VISION, *_OF_TIMM, "timm_model_name"))
    if vision.get("timm_pool", "avg") != trunk.pool:
        raise vision.refusal("timm_pool", f"such a tower is known with {trunk.pool!r}")
    if vision.get("timm_proj", "" if vision.has("timm_proj") else "linear") != "":
        raise vision.refusal("timm_proj", "such a tower is known with a projection of its own, where null is said")
    side = vision.number("image_size", 224)
    if trunk.image_size not in (None, side):
        raise vision.refusal("image_size", f"such a tower is known with {trunk.image_size}")
    return VisionConfig(
        side, trunk.layers, trunk.width, trunk.patch_size, trunk.head_width,
        trunk.variant, mlp_width=trunk.mlp_width, **_preparation(pictures),
    )  # fmt: skip


def _preparation(pictures: Said) -> dict[str, Any]:
    resize, by = pictures.get("resize_mode", "shortest"), pictures.get("interpolation", "bicubic")
    for name, said, known in (("resize_mode", resize, _RESIZES), ("interpolation", by, _FILTERS)):
        if str(said) not in known:
            raise pictures.refusal(name, f"{', '.join(map(repr, known))} are known")
    mean, std = pictures.color("mean", OPENAI_MEAN), pictures.color("std", OPENAI_STD)
    return {"mean": mean, "std": std, "resize": _RESIZES[resize] + _FILTERS[by]}


def _vision(vision: Said, pictures: Said) -> VisionConfig:
    vision.only(_PLAIN_VISION, (*_VISION, *_OF_TIMM))
    layers, width = vision.get("layers", 12), vision.number("width", 768)
    resnet = isinstance(layers, list)
    if resnet and (len(layers) != 4 or any(type(depth) is not int for depth in layers)):
        raise vision.refusal("layers", "a ResNet has four stages")
    return VisionConfig(
        image_size=vision.number("image_size", 224),
        layers=(layers[0], layers[1], layers[2], layers[3]) if resnet else vision.number("layers", 12),
        width=width,
        patch_size=None if resnet else vision.number("patch_size", 16),
        head_width=vision.number("head_width", _HEAD_WIDTH),
        mlp_width=0 if resnet else _mlp_width(vision, width),
        **_preparation(pictures),
    )


def _mlp_width(tower: Said, width: int) -> int:
    ratio = tower.get("mlp_ratio", 4.0)
    if not isinstance(ratio, (int, float)) or not 0 < ratio < 1000:
        raise tower.refusal("mlp_ratio", "a positive number is needed")
    inner = int(width * ratio)
    return 0 if inner == 4 * width else inner


def _flag(model: Said, name: str) -> bool:
    value = model.get(name, False)
    if not isinstance(value, bool):
        raise model.refusal(name, "true or false is needed")
    return value
