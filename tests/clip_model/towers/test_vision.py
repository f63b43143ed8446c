import pytest
import torch

from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.sizes.presets import PRESETS
from clip_model.towers.patches import patch_products
from clip_model.towers.vision import (
    AttentionPool2d,
    Bottleneck,
    ModifiedResNet,
    VisionTransformer,
    build_visual,
)
from tests.clip_model.open_clip_models import reference_of
from tests.clip_model.tiny_models import CONFIGS, random_clip


@pytest.mark.parametrize("count", [1, 3, 5])
def test_features_equal_open_clips(model, config, count):
    side = config.vision.image_size
    pixels = torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(count))
    with torch.inference_mode():
        ours, theirs = model.encode_image(pixels), reference_of(model).encode_image(pixels)
    assert ours.shape == (count, 24)
    assert theirs.abs().mean() > 0.01
    assert (ours - theirs).abs().max() <= 1e-5


def test_the_builtin_models_shape_equals_open_clips():
    model = random_clip(PRESETS["builtin-1"])
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert (model.encode_image(pixels) - reference_of(model).encode_image(pixels)).abs().max() <= 1e-5


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_every_parameter_gets_a_gradient(name):
    tower = random_clip(CONFIGS[name]).visual.train()
    side = CONFIGS[name].vision.image_size
    tower(torch.randn(4, 3, side, side)).square().sum().backward()
    silent = [n for n, p in tower.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A key's bias shifts all logits of a query alike, and the softmax takes that out again.
    assert [n for n in silent if not n.endswith("k_proj.bias")] == []


def test_a_fresh_residual_block_is_its_shortcut():
    tower = build_visual(CONFIGS["resnet"])
    block = tower.layer2[1].eval()
    assert isinstance(block, Bottleneck)
    x = torch.rand(1, 64, 8, 8)
    assert torch.allclose(block(x), x)


def test_the_grid_of_a_resnet_shrinks_thirty_two_times():
    tower = build_visual(CONFIGS["resnet"])
    seen = []
    tower.attnpool.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape)))
    tower.eval()(torch.zeros(1, 3, 64, 64))
    assert seen == [(1, 256, 2, 2)]


def test_attention_pooling_does_not_mind_a_different_batch():
    torch.manual_seed(0)
    pool = AttentionPool2d(2, 32, 4, 8)
    x = torch.randn(3, 32, 2, 2)
    assert torch.allclose(pool(x)[1:2], pool(x[1:2]), atol=1e-6)


def test_the_configuration_chooses_the_tower():
    assert isinstance(build_visual(CONFIGS["vit"]), VisionTransformer)
    assert isinstance(build_visual(CONFIGS["resnet"]), ModifiedResNet)


def test_the_papers_residual_network_has_its_size():
    config = CLIPConfig(1024, VisionConfig(224, (3, 4, 6, 3), 64, None), TextConfig())
    with torch.device("meta"):
        tower = build_visual(config)
    assert sum(p.numel() for p in tower.parameters()) == 38_316_896


@pytest.mark.parametrize("size", [(32, 32), (48, 16), (45, 37)])
def test_patches_as_one_product_are_the_convolution(size):
    conv = torch.nn.Conv2d(3, 20, kernel_size=16, stride=16, bias=False)
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = conv(images).flatten(2).transpose(1, 2)
        assert torch.allclose(patch_products(images, conv), expected, atol=1e-5)
    assert expected.shape[1] == (size[0] // 16) * (size[1] // 16)
