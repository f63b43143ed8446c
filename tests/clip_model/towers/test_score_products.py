import copy

import pytest
import torch
from torch.nn import functional as F

from clip_model.towers.folding import made_ready
from clip_model.towers.packing import packs
from clip_model.towers.score_products import attention
from clip_model.towers.sentence import PostNormBlock
from clip_model.towers.transformer import Attention
from tests.clip_model.tiny_models import CONFIGS, OURS, random_clip

CPU = torch.device("cpu")


def some(b, h, s, e, dtype=torch.float32):
    """Queries, keys and values that lie as a tower's do: (3, b, h, s, e), no part of them in a row."""
    torch.manual_seed(0)
    return torch.randn(b, s, 3, h, e).to(dtype).permute(2, 0, 3, 1, 4)


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1, 1), (1, 2, 5, 8), (5, 3, 7, 4), (4, 12, 50, 64), (0, 2, 5, 8), (2, 0, 5, 8), (2, 2, 0, 8), (2, 2, 5, 0)],
)
@pytest.mark.parametrize("scores", [1, 100, 2**21])
def test_it_is_the_same_attention_however_many_scores_are_held(shape, scores):
    q, k, v = some(*shape)
    expected = F.scaled_dot_product_attention(q, k, v)
    assert torch.allclose(attention(q, k, v, scores=scores), expected, atol=1e-6)


@pytest.mark.parametrize("scores", [1, 2**21])
@pytest.mark.parametrize("size", [1, 4])
def test_in_bfloat16_weights_are_off_by_what_rounding_a_score_does(size, scores):
    """A score of n is off by n / 256 at most, a weight by as large a part of itself, and as much again by its own."""
    q, k, v = some(3, 4, 50, 64, torch.bfloat16)
    q = size * q
    exact = F.scaled_dot_product_attention(q.float(), k.float(), v.float())
    largest = (q.float() @ k.float().transpose(-1, -2)).abs().max() * 64**-0.5
    bound = (largest + 2) / 256 * v.float().abs().max()
    assert (attention(q, k, v, scores=scores).float() - exact).abs().max() <= bound


def test_large_scores_overflow_nothing():
    q, k, v = some(2, 2, 9, 8, torch.bfloat16)
    got = attention(1e3 * q, 1e3 * k, v).float()
    assert torch.allclose(got, F.scaled_dot_product_attention(1e3 * q, 1e3 * k, v).float(), atol=0.02)


def test_masks_are_heeded():
    q, k, v = some(2, 2, 6, 8)
    mask = torch.arange(6) < torch.tensor([3, 6]).view(2, 1, 1, 1)
    for said in ({"attn_mask": mask}, {"is_causal": True}):
        assert torch.equal(attention(q, k, v, **said), F.scaled_dot_product_attention(q, k, v, **said))
    assert torch.equal(attention(q[:, :, :1], k, v), F.scaled_dot_product_attention(q[:, :, :1], k, v))


@pytest.mark.skipif(not packs(torch.bfloat16), reason="oneDNN packs no weights of bfloat16 on this processor")
@pytest.mark.parametrize("name", sorted({**CONFIGS, **OURS}))
def test_a_packed_model_attends_by_it_in_bfloat16_alone(name):
    config = {**CONFIGS, **OURS}[name]
    model = random_clip(config)
    for dtype in (torch.float32, torch.bfloat16):
        made = copy.deepcopy(model)
        made_ready(made, made.visual, CPU, dtype)
        packed = [one for one in made.modules() if isinstance(one, Attention) and one.in_proj is not None]
        masked = [block.attn for block in made.modules() if isinstance(block, PostNormBlock)]
        assert all((one.attend is attention) == (dtype == torch.bfloat16 and one not in masked) for one in packed)
        assert packed or config.vision.patch_size is None


@pytest.mark.skipif(not packs(torch.bfloat16), reason="oneDNN packs no weights of bfloat16 on this processor")
def test_a_vit_in_bfloat16_points_where_the_exact_one_does():
    model = random_clip(CONFIGS["vit"])
    side = CONFIGS["vit"].vision.image_size
    made, pixels = copy.deepcopy(model), torch.randn(9, 3, side, side)
    made_ready(made, made.visual, CPU, torch.bfloat16)
    with torch.inference_mode():
        got, exact = made.encode_image(pixels.bfloat16()).float(), model.encode_image(pixels)
    assert F.cosine_similarity(got, exact).min() > 0.999


@pytest.mark.skipif(not packs(torch.bfloat16), reason="oneDNN packs no weights of bfloat16 on this processor")
def test_a_pictures_features_do_not_depend_on_the_pictures_beside_it():
    made = random_clip(CONFIGS["vit"])
    made_ready(made, made.visual, CPU, torch.bfloat16)
    side = CONFIGS["vit"].vision.image_size
    pixels = torch.randn(5, 3, side, side).bfloat16()
    with torch.inference_mode():
        together = made.encode_image(pixels)
        assert all(torch.equal(made.encode_image(pixels[n : n + 1])[0], together[n]) for n in range(5))
