"""Small models of open_clip with random weights, and how their features are compared with ours."""

import functools
import json

import torch

from clip_model.preprocessing.tokenizer import Tokenizer
from tests.clip_model.open_clip_reference import open_clip
from tests.clip_model.tiny_models import Undrawn, randomize

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2}
VIT = {"layers": 2, "width": 64, "head_width": 64, "patch_size": 8, "image_size": 32}
RESNET = {"layers": [1, 2, 1, 1], "width": 8, "head_width": 64, "image_size": 64}
SAID = ["a", "two dogs on a beach at sunset", "", "word " * 90, "écran; 写真 №5"]


def model_of(vision_cfg=VIT, text_cfg=TEXT, *, kind="CLIP", **others):
    """A model of open_clip in evaluation mode, whose batch norms have seen something; who changes it copies it first.

    To copy its hundreds of modules takes longer than what most tests do with it.
    """
    given = {"embed_dim": 24, "quick_gelu": True, **others, "vision_cfg": vision_cfg, "text_cfg": text_cfg}
    return _made(kind, json.dumps(given))


@functools.cache
def _made(kind, said):
    """Made once: most of its numbers are the vocabulary's, and drawing them takes longer than most tests."""
    given = json.loads(said)
    vision_cfg = {key: tuple(v) if isinstance(v, list) else v for key, v in given.pop("vision_cfg").items()}
    kind = getattr(open_clip().model, kind)
    with Undrawn():
        model = kind(vision_cfg=vision_cfg, **given)
    return randomize(model)


def assert_same_features(ours, image_features, text_features):
    """Compare ours with functions of pixels and of tokens, for odd numbers of pictures and of texts.

    To 1e-4 of the largest feature, in float32.
    """
    side, tokens = ours.config.vision.image_size, Tokenizer(ours.config.text.context_length)(SAID)
    generator = torch.Generator().manual_seed(7)
    with torch.inference_mode():
        for count in (1, 3, 5):
            pixels = torch.randn(count, 3, side, side, generator=generator)
            for got, expected in (
                (ours.encode_image(pixels), image_features(pixels)),
                (ours.encode_text(tokens[:count]), text_features(tokens[:count])),
            ):
                assert got.shape == expected.shape
                assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()
