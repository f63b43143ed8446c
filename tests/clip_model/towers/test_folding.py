import copy
import dataclasses

import pytest
import torch

from clip_model.towers.folding import fold_batch_norms, fold_quick_gelus
from clip_model.towers.transformer import QuickGELU
from tests.clip_model.tiny_models import CONFIGS, random_clip


@pytest.fixture
def tower():
    return random_clip(CONFIGS["resnet"]).visual


def test_the_folded_tower_computes_the_same(tower):
    folded = copy.deepcopy(tower)
    fold_batch_norms(folded)
    pixels = torch.randn(3, 3, 64, 64)
    with torch.inference_mode():
        expected, got = tower(pixels), folded(pixels)
    assert expected.abs().mean() > 0.01
    assert torch.allclose(got, expected, atol=1e-5)


def test_no_batch_norm_is_left(tower):
    fold_batch_norms(tower)
    assert not [m for m in tower.modules() if isinstance(m, torch.nn.BatchNorm2d)]


def test_a_tower_in_training_is_refused(tower):
    with pytest.raises(ValueError, match="inference only"):
        fold_batch_norms(tower.train())


def test_folding_twice_is_refused(tower):
    fold_batch_norms(tower)
    with pytest.raises(ValueError, match="folded already"):
        fold_batch_norms(tower)


@pytest.mark.parametrize("quick", [True, False])
def test_a_folded_quick_gelu_computes_the_same(quick):
    model = random_clip(dataclasses.replace(CONFIGS["vit"], quick_gelu=quick))
    folded = copy.deepcopy(model)
    fold_quick_gelus(folded)
    assert not [m for m in folded.modules() if isinstance(m, QuickGELU)]
    assert [type(a) for a in folded.modules()] == [
        torch.nn.SiLU if isinstance(m, QuickGELU) else type(m) for m in model.modules()
    ]
    pixels, tokens = torch.randn(3, 3, 32, 32), torch.randint(1, 40, (3, 9))
    with torch.inference_mode():
        for got, expected in (
            (folded.encode_image(pixels), model.encode_image(pixels)),
            (folded.encode_text(tokens), model.encode_text(tokens)),
        ):
            assert expected.abs().mean() > 0.01
            assert torch.allclose(got, expected, atol=1e-5)
