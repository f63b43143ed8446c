import math

import pytest
import torch

from clip_model.model import CLIP
from clip_model.preprocessing.tokenizer import default_tokenizer
from clip_model.sizes.presets import PRESETS
from tests.clip_model.open_clip_models import reference_of
from tests.clip_model.tiny_models import random_clip


@pytest.mark.parametrize(("name", "dim"), [("ViT-B-32", 512), ("RN50", 1024)])
def test_models_in_full_equal_open_clips(name, dim):
    """To 1e-4 of the largest feature; the batch and the length of the texts are odd."""
    model = random_clip(PRESETS[name])
    reference = reference_of(model)
    pixels = torch.randn(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    tokens = default_tokenizer()(["a dog", "two cats asleep on a red sofa", "long " * 100])
    with torch.inference_mode():
        for ours, theirs in (
            (model.encode_image(pixels), reference.encode_image(pixels)),
            (model.encode_text(tokens), reference.encode_text(tokens)),
        ):
            assert ours.shape == (3, dim)
            assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def test_a_forward_pass_equals_open_clips(model, config):
    side = config.vision.image_size
    pixels, tokens = torch.randn(3, 3, side, side), default_tokenizer()(["one", "two", "three"])
    with torch.inference_mode():
        ours, theirs = model(pixels, tokens), reference_of(model)(pixels, tokens)
    assert torch.allclose(ours[0].norm(dim=1), torch.ones(3), atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, theirs, strict=True))


def test_the_state_dict_is_open_clips(model):
    reference = reference_of(model)
    ours = {name: value.shape for name, value in model.state_dict().items()}
    assert ours == {name: value.shape for name, value in reference.state_dict().items()}


def test_the_temperature_starts_at_seven_hundredths():
    with torch.device("meta"):
        assert CLIP(PRESETS["builtin-1"]).logit_scale.shape == ()
    assert CLIP(PRESETS["builtin-1"]).logit_scale.exp().item() == pytest.approx(1 / 0.07)


@pytest.mark.parametrize(
    ("name", "millions"), [("RN50", 102.0), ("ViT-B-32", 151.3), ("ViT-L-14", 427.6), ("RN50x64", 623.3)]
)
def test_the_papers_models_have_their_sizes(name, millions):
    with torch.device("meta"):
        model = CLIP(PRESETS[name])
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


def test_seeded_weights_are_the_same_twice(config):
    weights = []
    for _ in range(2):
        torch.manual_seed(3)
        weights.append(CLIP(config).state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert math.isfinite(sum(float(w.float().sum()) for w in weights[0].values()))
