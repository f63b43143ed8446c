"""EfficientNet-Lite: the same features as the package that its weights were published for, and a head on them."""

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch.nn import functional as F

from clip_model.checkpoint import load_model, save_model
from clip_model.config import VARIANTS, VisionConfig
from clip_model.inference import Encoder
from clip_model.sizes.efficientnet_lite import round_channels
from clip_model.towers.efficientnet import AttentionPool, EfficientNetLite, SameConv2d, load_pretrained
from clip_model.towers.folding import fold_batch_norms
from tests.clip_model.tiny_models import OURS, random_clip, randomize


def published(variant, seed=0):
    """Their network with weights that a trained one could have; the published ones need not be installed."""
    model = EfficientNet.from_name(f"efficientnet-{variant}", image_size=96)
    return randomize(model, seed)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "lite0.pth"
    torch.save(published("lite0").state_dict(), path)
    return path


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [96, 90])
def test_features_equal_the_published_networks(tmp_path, variant, size):
    theirs = EfficientNet.from_name(f"efficientnet-{variant}", image_size=size)
    randomize(theirs)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    tower = EfficientNetLite(variant, embed_dim=4).eval()
    weight, bias = load_pretrained(tower, tmp_path / "weights.pth")
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, got = theirs.extract_features(pixels), tower.top(tower.trunk(pixels))
        classes = F.linear(tower.pooled(got), weight, bias)
        assert expected.abs().mean() > 0.01
        assert (got - expected).abs().max() <= 1e-4
        assert (classes - theirs(pixels)).abs().max() <= 1e-4


def test_a_file_of_another_network_is_refused(tmp_path, saved):
    with pytest.raises(ValueError, match="holds another network"):
        load_pretrained(EfficientNetLite("lite2", 4), saved)
    state = torch.load(saved, weights_only=True)
    torch.save(state | {"_more.weight": torch.zeros(1)}, tmp_path / "more.pth")
    del state["_bn1.bias"]
    torch.save(state, tmp_path / "less.pth")
    for name in ("more", "less"):
        with pytest.raises(ValueError, match="tensors do not fit, the first of 1"):
            load_pretrained(EfficientNetLite("lite0", 4), tmp_path / f"{name}.pth")
    with pytest.raises(FileNotFoundError, match=r"no EfficientNet-Lite weights at .*none\.pth"):
        load_pretrained(EfficientNetLite("lite0", 4), tmp_path / "none.pth")


def test_the_head_stays_when_published_weights_come(saved):
    tower = EfficientNetLite("lite0", 4, hidden=8)
    before = {name: value.clone() for name, value in tower.head.state_dict().items()}
    load_pretrained(tower, saved)
    for name, value in tower.head.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(("side", "stride"), [(8, 1), (8, 2), (7, 2)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_the_odd_row_of_padding_goes_below(side, stride, kernel):
    conv = SameConv2d(1, 1, kernel, stride)
    conv.weight.data.fill_(1)
    out = -(-side // stride)
    missing = max(0, (out - 1) * stride + kernel - side)
    before = missing // 2
    ones = F.pad(torch.ones(1, 1, side, side), (before, missing - before) * 2)
    expected = F.conv2d(ones, torch.ones(1, 1, kernel, kernel), stride=stride)
    assert torch.equal(conv(torch.ones(1, 1, side, side)), expected)
    assert expected.shape[-1] == out


def test_folding_changes_nothing_but_the_number_of_layers():
    tower = randomize(EfficientNetLite("lite0", 8, pooling="attention", hidden=16))
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = tower(pixels)
        fold_batch_norms(tower)
        assert not [m for m in tower.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        torch.testing.assert_close(tower(pixels), expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="folded already"):
        fold_batch_norms(tower)


def test_attention_pooling_begins_as_the_mean_and_heeds_its_scores():
    pool = AttentionPool(16, heads=4)
    grid = torch.randn(2, 16, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pool(grid), grid.mean(dim=(2, 3)))
    with torch.no_grad():
        pool.score.weight.copy_(100 * torch.eye(4, 16))
    best = grid[0, 0].flatten().argmax()  # the first head now looks where channel 0 is largest
    torch.testing.assert_close(pool(grid)[0, :4], grid[0, :4].flatten(1)[:, best], atol=0.05, rtol=0)


def test_every_parameter_gets_a_gradient():
    tower = randomize(EfficientNetLite("lite0", 4, pooling="attention", hidden=8)).train()
    tower(torch.randn(4, 3, 64, 64)).square().sum().backward()
    silent = [n for n, p in tower.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert [name for name in silent if name != "pool.score.bias"] == []  # which the softmax takes out again


def test_channels_are_rounded_as_published():
    assert [round_channels(c) for c in (16 * 1.1, 24 * 1.1, 40 * 1.1, 112 * 1.1, 320 * 1.1)] == [16, 24, 48, 120, 352]


def test_a_model_with_it_is_saved_loaded_and_embeds(tmp_path):
    model = random_clip(OURS["efficientnet"])
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.config == OURS["efficientnet"]
    encoder = Encoder(loaded, device="cpu", precision="fp32")
    square = torch.randint(0, 255, (48, 48, 3), dtype=torch.uint8).numpy()
    pixels = encoder.preprocess(Image.fromarray(square))
    mean, std = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.25, 0.5, 0.5])
    expected = (torch.from_numpy(square).float() / 255 - mean) / std
    torch.testing.assert_close(pixels, expected.permute(2, 0, 1))
    with torch.inference_mode():
        features = F.normalize(model.encode_image(pixels[None]), dim=1)
    for embedding in (encoder.encode_pixels([pixels]), encoder.encode_squares([square])):
        torch.testing.assert_close(torch.from_numpy(embedding), features, atol=1e-4, rtol=0)
    texts = encoder.encode_texts(["a dog", "a very long sentence about two dogs", "a dog"])
    assert (texts[0] == texts[2]).all() and abs(texts[0] - texts[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"variant": "lite9"}, "unknown variant 'lite9'"),
        ({"layers": 12}, "fixes depths and widths"),
        ({"pooling": "max"}, "unknown pooling 'max'"),
        ({"image_size": 16}, "at least 32"),
        ({"hidden": -1}, "hidden is a whole number from 0 to"),
        ({"std": (0.0, 1.0, 1.0)}, "std is one number for each of"),
        ({"mean": (0.0, 1.0)}, "one number for each"),
    ],
)
def test_a_tower_that_cannot_be_is_refused(fields, message):
    sound = {"image_size": 96, "layers": 0, "width": 0, "patch_size": None, "head_width": 0, "variant": "lite0"}
    VisionConfig(**sound)
    with pytest.raises(ValueError, match=message):
        VisionConfig(**(sound | fields))
