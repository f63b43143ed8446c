"""OpenCLIP's checkpoints: `open_clip_config.json` beside the weights, with towers that are the paper's in other sizes.

Or with a RoBERTa for texts. Towers of timm, others of Hugging Face, and variants of the transformer are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clip_model.checkpoints import roberta
from clip_model.checkpoints.openai import check_sizes, weights_alone
from clip_model.checkpoints.said import MOBILE_CLIP, Said
from clip_model.checkpoints.sources import Source, read_json
from clip_model.checkpoints.weights import read_weights
from clip_model.config import OPENAI_MEAN, OPENAI_STD, CLIPConfig, TextConfig, VisionConfig
from clip_model.header import TOKENIZER

_MODEL = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text", "init_logit_scale", "output_dict")
_TOWER = ("layers", "width", "mlp_ratio")
_VISION = (*_TOWER, "head_width", "patch_size", "image_size", "patch_dropout")  # patches are dropped in training alone
_TEXT = (*_TOWER, "heads", "context_length", "vocab_size", "pad_id", "eos_id")  # read where they are pooled by alone
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
    "no_causal_mask": (False,),
    "pool_type": ("argmax",),
    "proj_bias": (False,),
    "proj_type": ("linear",),
}
_RESIZES = {"shortest": "crop", "squash": "stretch"}  # "longest" would leave borders
_FILTERS = {"bicubic": "", "bilinear": "-bilinear", "random": ""}  # at random in training alone
_TEXT_PREFIX = "text."  # of models that keep the text tower apart, with the same names in it
_MOBILE = re.compile(r"fastvit_mci\d|vit_\w+_mci_\d+")  # timm's names of MobileCLIP's and MobileCLIP2's image towers
_HEAD_WIDTH = 64


def read_open_clip(source: Source) -> tuple[CLIPConfig, dict[str, Tensor]]:
    """The configuration and the tensors of a model of open_clip.

    Raises:
        ValueError: if it needs a network that this program has not, or its files do not say what it looks like.
    """
    config = read_config(read_json(source.configs[0]), source.configs[0])
    if config.text.kind != "causal":
        tokenizer = torch.frombuffer(bytearray(roberta.tokenizer_of(source)), dtype=torch.uint8)
        return config, {**roberta.renamed(read_weights(source), str(source.path)), TOKENIZER: tokenizer}
    state = read_weights(source)
    if any(name.startswith(_TEXT_PREFIX) for name in state):
        renamed = {name.removeprefix(_TEXT_PREFIX): value for name, value in state.items()}
        if len(renamed) != len(state):
            raise ValueError(f"{source.path} holds two text towers")
        state = renamed
    check_sizes(state, config, str(source.path))  # of OpenAI's files, which a configuration may stand beside too
    return config, weights_alone(state)


def read_config(values: Mapping[str, Any], path: Path) -> CLIPConfig:
    """The configuration that the object in an `open_clip_config.json` describes.

    Raises:
        ValueError: if it needs a network that this program has not; the message names the file, `path`.
    """
    file = Said(values, path)
    return _config(file.part("model_cfg"), Said(file.get("preprocess_cfg", {}), path, "preprocess_cfg."))


def _config(model: Said, pictures: Said) -> CLIPConfig:
    vision, text = model.part("vision_cfg"), model.part("text_cfg")
    if _MOBILE.fullmatch(str(vision.get("timm_model_name"))):
        raise vision.refusal("timm_model_name", f"it is {MOBILE_CLIP}")
    if "siglip" in str(vision.get("timm_model_name")):
        raise vision.refusal("timm_model_name", "a SigLIP is known in Hugging Face's layout, as Google publishes it")
    vision.only(
        _PLAIN_VISION, (*_VISION, *(f"timm_{name}" for name in ("pool", "proj", "proj_bias", "drop", "drop_path")))
    )
    model.only(
        {"multimodal_cfg": (), "init_logit_bias": (), "nonscalar_logit_scale": (False,), "cast_dtype": ()}, _MODEL
    )
    pictures.only({"mode": ("RGB",)}, ("size", "mean", "std", "interpolation", "resize_mode", "fill_color"))
    image = _vision(vision, pictures)
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
    )


def _vision(vision: Said, pictures: Said) -> VisionConfig:
    layers, width = vision.get("layers", 12), vision.number("width", 768)
    resnet = isinstance(layers, list)
    if resnet and (len(layers) != 4 or any(type(depth) is not int for depth in layers)):
        raise vision.refusal("layers", "a ResNet has four stages")
    resize, by = pictures.get("resize_mode", "shortest"), pictures.get("interpolation", "bicubic")
    for name, said, known in (("resize_mode", resize, _RESIZES), ("interpolation", by, _FILTERS)):
        if str(said) not in known:
            raise pictures.refusal(name, f"{', '.join(map(repr, known))} are known")
    return VisionConfig(
        image_size=vision.number("image_size", 224),
        layers=(layers[0], layers[1], layers[2], layers[3]) if resnet else vision.number("layers", 12),
        width=width,
        patch_size=None if resnet else vision.number("patch_size", 16),
        head_width=vision.number("head_width", _HEAD_WIDTH),
        mean=pictures.color("mean", OPENAI_MEAN),
        std=pictures.color("std", OPENAI_STD),
        mlp_width=0 if resnet else _mlp_width(vision, width),
        resize=_RESIZES[resize] + _FILTERS[by],
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
