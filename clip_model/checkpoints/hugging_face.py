"""Folders of Hugging Face's `CLIPModel`: the same networks under other names, with query, key and value apart.

Those of `SiglipModel` are handed to `siglip.py`; towers of CLIP that are published alone are refused by name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from clip_model.checkpoints.said import Preparation, Said, prepared
from clip_model.checkpoints.siglip import read_siglip
from clip_model.checkpoints.sources import TOKENIZER_FILES, Source, read_json
from clip_model.checkpoints.weights import JOINED, is_counting, joined, read_weights
from clip_model.config import OPENAI_MEAN, OPENAI_STD, CLIPConfig, TextConfig, VisionConfig
from clip_model.preprocessing.tokenizer import EOT, MARKS, SOT, vocabulary

_ALONE = {"clip_vision_model": "image", "clip_text_model": "text"}
_GELUS = {"quick_gelu": True, "gelu": False}
_EPSILON = 1e-5  # of our layer norms
_FILTERS = {"2": "-bilinear", "3": ""}  # by Pillow's numbers
_MARKS = dict(zip(MARKS, (SOT, EOT), strict=True))  # which a vocabulary may leave to other files
_ENDS = (2, 49407)  # ids of the end of text; 2 stood there by mistake, and means the largest id
NAMES = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "text_projection.weight": "text_projection",
    "visual_projection.weight": "visual.proj",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "logit_scale": "logit_scale",
}
TRANSPOSED = ("text_projection", "visual.proj")
LAYERS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_LAYER = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.([\w.]+)\.(weight|bias)")


def read_hugging_face(source: Source) -> tuple[CLIPConfig, dict[str, Tensor]]:
    """The configuration and the tensors of a `CLIPModel`.

    Raises:
        ValueError: if it is another kind of model, or needs a network that this program has not.
    """
    path = source.configs[0]
    said = Said(read_json(path), path)
    kind = said.get("model_type")
    if kind in _ALONE:
        raise ValueError(f"{path} describes the {_ALONE[kind]} tower of a CLIP alone; a search needs both")
    if kind == "siglip":
        return read_siglip(source, said)
    if kind == "siglip2":
        raise ValueError(
            f"{path} describes a SigLIP 2 for pictures of any shape (NaFlex), which picsift has no network for; those "
            "for squares are known"
        )
    if kind != "clip":
        raise ValueError(f"{path} describes a model of type {kind!r}; of Hugging Face's, 'clip' and 'siglip' are known")
    _check_tokenizer(path.parent)
    return _config(said, source.configs[1:]), renamed(read_weights(source), str(source.path))


def renamed(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors under our names: queries, keys and values joined, projections transposed.

    Names that are none of a CLIPModel's stay as they are, for whoever compares them with what is expected.

    Raises:
        ValueError: if a layer lacks its queries, keys or values.
    """
    ours: dict[str, Tensor] = {}
    apart: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        layer = _LAYER.fullmatch(name)
        if layer is None:
            if not is_counting(name, value):
                known = NAMES.get(name, name)
                ours[known] = value.T if known in TRANSPOSED and value.dim() == 2 else value
            continue
        tower, number, part, kind = layer.groups()
        block = f"{'visual.' if tower == 'vision' else ''}transformer.resblocks.{number}"
        if part in JOINED:
            apart.setdefault(f"{block}.attn.in_proj_{kind}", {})[part] = value
        else:
            ours[f"{block}.{LAYERS.get(part, part)}.{kind}"] = value
    ours.update(joined(apart, source))
    return ours


def _check_tokenizer(folder: Path) -> None:
    """See that a tokenizer that lies in the folder is CLIP's, which texts are read by.

    Raises:
        ValueError: if it has another vocabulary.
    """
    for name in (TOKENIZER_FILES[0], "vocab.json"):
        if not (folder / name).is_file():
            continue
        theirs: Any = read_json(folder / name)
        if name == TOKENIZER_FILES[0]:
            model = theirs.get("model")
            theirs = model.get("vocab") if isinstance(model, dict) else None
        if not isinstance(theirs, dict) or {**_MARKS, **theirs} != vocabulary():
            raise ValueError(f"{folder / name} is another tokenizer than CLIP's, which alone is known of such a model")


def _config(said: Said, preprocessors: tuple[Path, ...]) -> CLIPConfig:
    vision, text = _tower(said, "vision_config"), _tower(said, "text_config")
    if vision.number("num_channels", 3) != 3:
        raise vision.refusal("num_channels", "pictures have three")
    if text.get("eos_token_id", _ENDS[-1]) not in _ENDS:
        raise text.refusal("eos_token_id", "CLIP's end of text is 49407")
    acts = vision.get("hidden_act", "quick_gelu"), text.get("hidden_act", "quick_gelu")
    if acts[0] != acts[1] or acts[0] not in _GELUS:
        raise text.refusal(
            "hidden_act", f"'gelu' or 'quick_gelu' in both towers is known, the image tower has {acts[0]!r}"
        )
    width, text_width = vision.number("hidden_size", 768), text.number("hidden_size", 512)
    heads, side = vision.number("num_attention_heads", 12), vision.number("image_size", 224)
    plain = OPENAI_MEAN, OPENAI_STD, "crop"
    mean, std, resize = prepared(preprocessors, lambda said: _pictures(said, side), plain)
    if width % heads:
        raise vision.refusal("num_attention_heads", f"the width {width} cannot be divided by it")
    return CLIPConfig(
        said.number("projection_dim", 512),
        VisionConfig(
            image_size=side,
            layers=vision.number("num_hidden_layers", 12),
            width=width,
            patch_size=vision.number("patch_size", 32),
            head_width=width // heads,
            mean=mean,
            std=std,
            mlp_width=_mlp_width(vision, width, 3072),
            resize=resize,
        ),
        TextConfig(
            context_length=text.number("max_position_embeddings", 77),
            vocab_size=text.number("vocab_size", 49408),
            width=text_width,
            heads=text.number("num_attention_heads", 8),
            layers=text.number("num_hidden_layers", 12),
            mlp_width=_mlp_width(text, text_width, 2048),
        ),
        quick_gelu=_GELUS[acts[0]],
    )


def _tower(said: Said, name: str) -> Said:
    """One tower's object, which older files hold a second time under another name; where both differ, it is refused."""
    older = said.get(f"{name}_dict", {})
    tower = said.part(name) if said.get(name) is not None or not older else Said({}, said.path)
    if not isinstance(older, dict) or any(tower.get(key, value) != value for key, value in older.items()):
        raise said.refusal(f"{name}_dict", f"{name} says something else")
    merged = Said({**older, **said.get(name, {})}, said.path, f"{name}.")
    merged.near("layer_norm_eps", _EPSILON, 1e-12)
    return merged


def _mlp_width(tower: Said, width: int, default: int) -> int:
    inner = tower.number("intermediate_size", default)
    return 0 if inner == 4 * width else inner


def _pictures(said: Said, side: int) -> Preparation:
    """Mean and deviation of the colours, and how a picture becomes a square."""
    said.prepares("CLIP")
    by = _FILTERS.get(str(said.get("resample", 3)))
    if by is None:
        raise said.refusal("resample", "2, bilinear, and 3, bicubic, are known")
    square, crops = {"height": side, "width": side}, said.get("do_center_crop", True)
    if not crops and said.get("size") != square:
        raise said.refusal("size", f"what is not cropped becomes {side} high and wide, the image tower's size")
    for name, known in (("size", {"shortest_edge": side}), ("crop_size", square)) if crops else ():
        if said.get(name, side) not in (side, known):
            raise said.refusal(
                name, f"the shorter side becomes {side}, the image tower's size, and a square is cut out"
            )
    colors = said.color("image_mean", OPENAI_MEAN), said.color("image_std", OPENAI_STD)
    return *colors, ("crop" if crops else "squash") + by
