"""Small image towers of timm with random weights, of each kind that MobileCLIP has: what ours are compared with."""

import functools
from contextlib import contextmanager
from dataclasses import replace

import pytest

from clip_model.mobile.published import TRUNKS, Trunk
from tests.clip_model.checkpoints.reference_models import TEXT
from tests.clip_model.open_clip_reference import open_clip
from tests.clip_model.tiny_models import MOBILE, randomize

NAMES = {
    "fastvit": "fastvit_mci0",
    "fastvit-deep": "fastvit_mci3",
    "vit-stem": "vit_base_mci_224",
    "vit-biased": "vit_large_patch14_clip_224",
}
"""The published name that stands for a small tower of each kind."""


def timm():
    """The package; open_clip's import lets it find torchvision."""
    open_clip()
    import timm

    return timm


def made(kind, *, num_classes=24):
    """A small tower of a kind, with the sizes of `MOBILE`."""
    timm()
    from timm.layers import LayerNorm2d
    from timm.models import fastvit, vision_transformer, vision_transformer_hybrid
    from torch import nn

    v = MOBILE[kind].vision
    place = functools.partial(fastvit.RepConditionalPosEnc, spatial_shape=(7, 7))
    mixers = ("repmixer",) * 3
    sides = {"img_size": v.image_size, "embed_dim": v.width, "depth": v.layers, "num_heads": v.heads}
    if kind == "fastvit":
        return fastvit.FastVit(
            layers=v.layers, embed_dims=[16, 32, 64, 128], mlp_ratios=[3] * 4, pos_embs=[None, None, None, place],
            token_mixers=(*mixers, "attention"), se_downsamples=[False, False, True, True], lkc_use_act=True,
            num_classes=num_classes,
        )  # fmt: skip
    if kind == "fastvit-deep":
        return fastvit.FastVit(
            layers=v.layers, embed_dims=[16, 32, 64, 128, 256], mlp_ratios=[4] * 5,
            pos_embs=[None, None, None, place, place], token_mixers=(*mixers, "attention", "attention"),
            se_downsamples=[False] * 5, downsamples=[False, True, True, True, True], lkc_use_act=True,
            norm_layer=functools.partial(LayerNorm2d, eps=1e-5), stem_use_scale_branch=False,
            num_classes=num_classes,
        )  # fmt: skip
    if kind == "vit-stem":
        stem = vision_transformer_hybrid.ConvStem(
            channels=(16, 16, 64), stride=(4, 2, 2), kernel_size=(4, 2, 2), padding=0, act_layer=nn.GELU
        )
        layer = functools.partial(vision_transformer_hybrid.HybridEmbed, backbone=stem, proj=False)
        return vision_transformer.VisionTransformer(
            **sides, patch_size=1, embed_layer=layer, no_embed_class=True, global_pool="token",
            num_classes=num_classes,
        )  # fmt: skip
    return vision_transformer.VisionTransformer(
        **sides, patch_size=16, pre_norm=True, norm_layer=functools.partial(nn.LayerNorm, eps=1e-5),
        global_pool="token", num_classes=num_classes,
    )  # fmt: skip


@functools.cache
def tower(kind):
    """Such a tower with random weights; who changes it copies it first."""
    return randomize(made(kind))


@contextmanager
def small_published():
    """Within it the published names stand for small towers, with timm and with us."""
    timm()
    from timm.models import _registry as registered

    with pytest.MonkeyPatch.context() as patch:
        for kind, name in NAMES.items():
            v, known = MOBILE[kind].vision, TRUNKS[name]
            small = Trunk(v.variant, v.layers, v.width, v.patch_size, v.head_width, v.mlp_width, known.pool)
            small = replace(small, image_size=known.image_size and v.image_size)
            patch.setitem(TRUNKS, name, small)
            patch.setitem(registered._model_entrypoints, name, functools.partial(_small, kind))
        yield


def _small(kind, **asked):
    return made(kind, num_classes=asked["num_classes"])


def said_of(kind):
    """What open_clip's configuration says of a small model of a kind; its texts are as `MOBILE` has them."""
    name = NAMES[kind]
    vision = {"timm_model_name": name, "timm_model_pretrained": False, "timm_pool": TRUNKS[name].pool}
    vision |= {"timm_proj": None, "timm_drop": 0.0, "timm_drop_path": 0.0, "image_size": MOBILE[kind].vision.image_size}
    text = {**TEXT, "no_causal_mask": MOBILE[kind].text.kind == "unmasked"}
    return {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text, "custom_text": True}
