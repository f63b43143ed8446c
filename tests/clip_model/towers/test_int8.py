import pytest
import torch
from torch.nn import functional as F

from clip_model.inference import Encoder
from clip_model.model import CLIP
from clip_model.precision import choose_precision
from clip_model.towers.int8 import Int8Linear, quantize_blocks
from tests.clip_model.tiny_models import CONFIGS, randomize


def test_whole_numbers_are_multiplied_exactly():
    weight = torch.tensor([[127.0, -3, 0], [1, 127, -127]])
    x = torch.tensor([[[127.0, 2, -5]], [[0, 127, 1]]])
    bias = torch.tensor([0.5, -1])
    assert torch.equal(Int8Linear(weight, bias)(x), F.linear(x, weight, bias))


def test_each_position_and_each_output_has_its_own_scale():
    """A large value spoils its own row and column, and no other."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(40, 64, generator=generator), torch.randn(32, 64, generator=generator)
    x[0, 0], weight[0, 0] = 1e6, 1e6
    error = (Int8Linear(weight, torch.zeros(32))(x) - F.linear(x, weight)).abs()[1:, 1:]
    assert error.max() < 0.5, "of sums of 64 products, whose deviation is 8"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_spoils_its_row_alone_and_shows(value):
    x = torch.ones(3, 4)
    x[1, 2] = value
    out = Int8Linear(torch.ones(2, 4), torch.zeros(2))(x)
    assert out.isnan().tolist() == [[False, False], [True, True], [False, False]]


def test_nothing_in_is_the_bias_out():
    assert torch.equal(Int8Linear(torch.zeros(2, 4), torch.ones(2))(torch.zeros(3, 4)), torch.ones(3, 2))


@pytest.mark.parametrize("kind", ["vit", "vit-gelu"])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_an_encoder_in_int8_gives_nearly_the_same(kind, count):
    model = randomize(CLIP(CONFIGS[kind]))
    exact, whole = (Encoder(model, device="cpu", precision=name) for name in ("fp32", "int8"))
    assert whole.precision == "int8"
    side = CONFIGS[kind].vision.image_size
    pixels = torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(count))
    cosines = (exact.encode_pixels(pixels) * whole.encode_pixels(pixels)).sum(axis=1)
    assert cosines.min() >= 0.99
    assert (exact.encode_pixels(pixels) != whole.encode_pixels(pixels)).any()
    assert (exact.encode_texts(["a dog"]) * whole.encode_texts(["a dog"])).sum() > 0.999, "texts stay as they are"


def test_cells_can_be_had_of_a_tower_in_int8():
    encoder = Encoder(randomize(CLIP(CONFIGS["vit"])), device="cpu", precision="int8")
    square = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8).numpy()
    assert encoder.encode_cells(square).shape == (4, 4, 24)


def test_another_tower_and_another_device_are_refused():
    with pytest.raises(ValueError, match="the image tower of this model is another"):
        Encoder(CLIP(CONFIGS["resnet"]), device="cpu", precision="int8")
    with pytest.raises(ValueError, match="precision 'int8' does not work on meta: int8 is for CPUs"):
        choose_precision("int8", torch.device("meta"))
    tower = CLIP(CONFIGS["vit"]).visual
    quantize_blocks(tower)
    assert sum(isinstance(module, Int8Linear) for module in tower.modules()) == 2 * 4
