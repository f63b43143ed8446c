"""Features of cells: of one cell those of the whole picture, of several what is there."""

import pytest
import torch

from clip_model.config import PROBE, VisionConfig
from clip_model.inference import Encoder
from clip_model.towers.cells import cell_features
from clip_model.towers.siglip import SiglipImageTower
from tests.clip_model.tiny_models import CONFIGS, MOBILE, OURS, random_clip, randomize

pytestmark = pytest.mark.usefixtures("one_core")
ALL = {**CONFIGS, **MOBILE, **OURS}
GRIDS = {"vit": 4, "vit-gelu": 3, "resnet": 2, "efficientnet": 2}
GRIDS |= {"fastvit": 2, "fastvit-deep": 2, "vit-stem": 3, "vit-biased": 3}


def pixels_of(config, seed=0):
    side = config.vision.image_size
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=ALL)
def model(request):
    return request.param, random_clip(ALL[request.param]).eval()


def test_each_cell_has_features_of_its_own(model):
    name, network = model
    with torch.inference_mode():
        cells = cell_features(network.visual, pixels_of(network.config))
    assert cells.shape == (1, GRIDS[name], GRIDS[name], 24)
    assert torch.isfinite(cells).all()
    assert torch.pdist(cells.flatten(0, 2)).min() > 1e-3


def test_one_cell_is_the_whole_picture_and_linear_heads_add_up():
    config = OURS["efficientnet"]
    network = random_clip(config).eval()
    with torch.inference_mode():
        small = pixels_of(config)[:, :, :32, :32]
        assert torch.allclose(cell_features(network.visual, small)[:, 0, 0], network.visual(small), atol=1e-4)
        network.visual.head.has_hidden = False
        whole = pixels_of(config)
        assert torch.allclose(cell_features(network.visual, whole).mean(dim=(1, 2)), network.visual(whole), atol=1e-4)


def test_of_a_fastvit_their_mean_is_the_whole_picture():
    network = random_clip(MOBILE["fastvit"]).eval()
    with torch.inference_mode():
        pixels = pixels_of(MOBILE["fastvit"])
        mean, whole = cell_features(network.visual, pixels).mean(dim=(1, 2)), network.visual(pixels)
    assert (mean - whole).abs().max() <= 1e-5 * whole.abs().max()


def test_of_a_resnet_they_are_what_attention_to_one_cell_alone_gives():
    network = random_clip(CONFIGS["resnet"]).eval()
    tower, pixels = network.visual, pixels_of(CONFIGS["resnet"])
    with torch.inference_mode():
        cells = cell_features(tower, pixels).flatten(1, 2)
        x = tower.grid(pixels).flatten(2).transpose(1, 2) + tower.attnpool.positional_embedding[1:]
        alone = [tower.attnpool.c_proj(tower.attnpool.v_proj(x[:, at])) for at in range(4)]
    assert torch.allclose(cells, torch.stack(alone, dim=1), atol=1e-5)


def test_of_a_siglip_they_are_what_its_probe_gets_of_one_position_alone():
    vision = VisionConfig(image_size=32, layers=2, width=24, patch_size=8, head_width=12, pooling=PROBE, mlp_width=40)
    tower = randomize(SiglipImageTower(vision)).eval()
    pixels = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        cells = cell_features(tower, pixels)
        alone = tower.head(tower.positions(pixels)[:, 6:7])  # the third of the second row
    assert cells.shape == (1, 4, 4, 24)
    assert torch.allclose(cells[:, 1, 2], alone, atol=1e-5)
    assert torch.pdist(cells.flatten(0, 2)).min() > 1e-3


def test_of_a_transformer_without_attention_they_are_its_patches():
    network = random_clip(CONFIGS["vit"]).eval()
    tower, pixels = network.visual, pixels_of(CONFIGS["vit"])
    last = tower.transformer.resblocks[-1]
    last.attn.out_proj.weight.data.zero_()
    with torch.inference_mode():
        patches = tower.ln_post(tower.transformer(tower.positions(pixels))[:, 1:]) @ tower.proj
        assert torch.allclose(cell_features(tower, pixels).flatten(1, 2), patches, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_an_encoder_gives_them_unit_length_whether_folded_or_not(name):
    network = random_clip(ALL[name])
    encoder = Encoder(network, device="cpu", precision="fp32")
    side = ALL[name].vision.image_size
    square = torch.randint(0, 256, (side, side, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    cells = encoder.encode_cells(square.numpy())
    assert cells.shape == (GRIDS[name], GRIDS[name], 24)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (ALL[name].vision.mean, ALL[name].vision.std))
    pixels = (square.permute(2, 0, 1) / 255 - mean) / std
    with torch.inference_mode():
        plain = torch.nn.functional.normalize(cell_features(network.eval().visual, pixels[None])[0], dim=-1)
    assert torch.allclose(torch.from_numpy(cells), plain, atol=1e-4)
