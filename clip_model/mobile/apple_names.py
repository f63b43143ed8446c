"""Apple's own files of MobileCLIP: names of their tensors, and which of the published models one is.

They say no sizes, and no preparation of pictures; both are those of the configurations in Apple's ml-mobileclip (of
squares: bilinear, cropped, in [0, 1]). What is made of their tensors are open_clip's, which converts them likewise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

IMAGE, TEXT = "image_encoder.model.", "text_encoder."
"""How names begin."""


@dataclass(frozen=True)
class AppleModel:
    """One of the models.

    Attributes:
        trunk: timm's name of its image tower.
        image_size: in pixels.
        causal: whether a token sees those before it alone.
    """

    trunk: str
    image_size: int
    causal: bool


_FAST = tuple(AppleModel(f"fastvit_mci{number}", 256, causal=False) for number in (1, 2))
_STEMMED = AppleModel("vit_base_mci_224", 224, causal=True)
_MIXED = re.compile(rf"{re.escape(TEXT)}transformer\.\d+\.convffn\.")
_STEM = re.compile(r"patch_emb\.\d+\.block\.conv\.weight")
_DEEPEST = "network.4."  # the third stage, whose depth tells the FastViTs apart
_DEPTHS = {20: _FAST[0], 24: _FAST[1]}
_DOWN = re.compile(r"network\.(\d+)\.proj\.")
_STAGE = re.compile(r"network\.(\d+)\.(.+)")
_FASTVIT = (
    (r"^patch_embed\.", "stem."),
    (r"\brbr_conv\b", "conv_kxk"),
    (r"\brbr_scale\b", "conv_scale"),
    (r"\brbr_skip\b", "identity"),
    (r"^conv_exp\b", "final_conv"),
    (r"\blkb_origin\b", "large_conv"),
    (r"\bconvffn\b", "mlp"),
    (r"\bse\.reduce\b", "se.fc1"),
    (r"\bse\.expand\b", "se.fc2"),
    (r"\b(layer_scale(_\d)?)$", r"\1.gamma"),
)
_BLOCK = (
    (r"\bpre_norm_mha\.0\b", "norm1"),
    (r"\bpre_norm_mha\.1\.qkv_proj\b", "attn.qkv"),
    (r"\bpre_norm_mha\.1\.out_proj\b", "attn.proj"),
    (r"\bpre_norm_ffn\.0\b", "norm2"),
    (r"\bpre_norm_ffn\.1\b", "mlp.fc1"),
    (r"\bpre_norm_ffn\.4\b", "mlp.fc2"),
)
_VIT = (
    (r"^patch_emb\.(\d+)\.block\.conv\.", r"patch_embed.backbone.\1.conv."),
    (r"^patch_emb\.(\d+)\.block\.norm\.", r"patch_embed.backbone.\1.bn."),
    (r"^post_transformer_norm\.", "norm."),
    (r"^pos_embed\.pos_embed\.pos_embed$", "pos_embed"),
    (r"^transformer\.", "blocks."),
    *_BLOCK,
)
_TEXT = (
    (r"^embedding_layer\.", "token_embedding."),
    (r"^positional_embedding\.pos_embed\.pos_embed$", "positional_embedding"),
    (r"^final_layer_norm\.", "ln_final."),
    (r"^projection_layer$", "text_projection"),
    (r"^transformer\.", "transformer.resblocks."),
    (r"\bpre_norm_mha\.0\b", "ln_1"),
    (r"\bpre_norm_mha\.1\.qkv_proj\.", "attn.in_proj_"),
    (r"\bpre_norm_mha\.1\.out_proj\b", "attn.out_proj"),
    (r"\bpre_norm_ffn\.0\b", "ln_2"),
    (r"\bpre_norm_ffn\.1\b", "mlp.c_fc"),
    (r"\bpre_norm_ffn\.4\b", "mlp.c_proj"),
)
_PROJECTIONS = {"head.proj": "head.fc", "classifier.proj": "head"}  # without a bias, and the other way round


def model_of(names: Mapping[str, Tensor], source: str) -> AppleModel:
    """Which of the models a file holds, by its tensors.

    Raises:
        ValueError: if it is none whose network is known.
    """
    if any(_MIXED.match(name) for name in names):
        raise ValueError(
            f"{source} cannot be used: it is a MobileCLIP-S0, whose text tower mixes by convolutions, and picsift has "
            "no network for that (of MobileCLIP2-S0 it has)"
        )
    images = [name.removeprefix(IMAGE) for name in names if name.startswith(IMAGE)]
    if any(_STEM.fullmatch(name) for name in images):
        return _STEMMED
    depth = len({name.split(".")[2] for name in images if name.startswith(_DEEPEST)})
    if depth not in _DEPTHS:
        known = ", ".join(map(str, _DEPTHS))
        raise ValueError(
            f"{source} cannot be used: it is no MobileCLIP that is known; the third stage of its image tower has "
            f"{depth} blocks, and {known} are known (S1, S2)"
        )
    return _DEPTHS[depth]


def renamed(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors under the names that open_clip gives them; those that are none of such a model's stay as they are.

    Raises:
        ValueError: if two tensors are the same one.
    """
    downs = sorted({int(found[1]) for name in state if (found := _DOWN.match(name.removeprefix(IMAGE)))})
    theirs: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.startswith(TEXT):
            part = _replaced(name.removeprefix(TEXT), _TEXT)
            flat = part == "positional_embedding" and value.dim() == 4 and value.shape[:2] == (1, 1)
            one = {f"text.{part}": value[0, 0] if flat else value}
        elif name.startswith(IMAGE):
            one = _of_image(name.removeprefix(IMAGE), value, downs)
        else:
            one = {name: value}
        if twice := theirs.keys() & one.keys():
            raise ValueError(f"{source} cannot be used: it holds the tensor {min(twice)!r} under two names")
        theirs |= one
    return theirs


def _of_image(part: str, value: Tensor, downs: list[int]) -> dict[str, Tensor]:
    prefix = "visual.trunk."
    if part in _PROJECTIONS and value.dim() == 2:
        head = prefix + _PROJECTIONS[part]
        return {f"{head}.weight": value.T, f"{head}.bias": value.new_zeros(value.shape[1])}
    if downs:
        return {prefix + _replaced(_staged(part, downs), _FASTVIT): value}
    part = _replaced(part, _VIT)
    flat = part == "pos_embed" and value.dim() == 4 and value.shape[0] == 1
    return {prefix + part: value[0] if flat else value}


def _staged(part: str, downs: list[int]) -> str:
    """Apple's flat list of layers as stages, each of which begins with its downsampling."""
    found = _STAGE.fullmatch(part)
    if found is None:
        return part
    number, rest = int(found[1]), found[2]
    stage = sum(down <= number for down in downs)
    if number in downs:
        return f"stages.{stage}.downsample.{rest}"
    return f"stages.{stage}.pos_emb.pos_enc.{rest[3:]}" if rest.startswith("pe.") else f"stages.{stage}.blocks.{rest}"


def _replaced(name: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for pattern, by in pairs:
        name = re.sub(pattern, by, name)
    return name
