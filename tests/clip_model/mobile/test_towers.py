"""MobileCLIP's image towers compute what timm's do, with every parameter, folded or not."""

import copy

import pytest
import torch

from clip_model.checkpoints.open_clip import read_config
from clip_model.mobile import timm_names
from clip_model.sizes.shapes import shapes_of
from clip_model.towers.folding import fold_batch_norms, made_ready
from clip_model.towers.vision import build_visual
from tests.clip_model.mobile.timm_towers import timm, tower
from tests.clip_model.open_clip_reference import open_clip
from tests.clip_model.tiny_models import MOBILE, Undrawn, randomize

pytestmark = pytest.mark.usefixtures("one_core")
PUBLISHED = [
    *(f"MobileCLIP-{name}" for name in ("S1", "S2", "B")),
    *(f"MobileCLIP2-{name}" for name in ("S0", "S2", "S3", "S4", "B", "L-14")),
]


def ours_of(theirs, config):
    """Our tower with the weights of one of timm's."""
    with Undrawn():
        ours = build_visual(config).eval()
    state = {f"visual.trunk.{name}": value for name, value in theirs.state_dict().items()}
    named = timm_names.renamed(state, config.vision.variant, "it")
    ours.load_state_dict({name.removeprefix("visual."): value for name, value in named.items()})
    return ours


def assert_near(got, expected):
    assert got.shape == expected.shape
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()


def pixels_of(count, side):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize("kind", MOBILE)
def test_a_small_tower_of_each_kind_computes_what_timms_does(kind):
    theirs = tower(kind)
    ours = ours_of(theirs, MOBILE[kind])
    folded = copy.deepcopy(ours)
    fold_batch_norms(folded)
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    sides = {MOBILE[kind].vision.image_size} | ({70, 33} if kind.startswith("fastvit") else set())
    with torch.inference_mode():
        for side in sides:
            for count in (1, 3):
                pixels = pixels_of(count, side)
                expected = theirs(pixels)
                assert_near(ours(pixels), expected)
                assert_near(folded(pixels), expected)


def test_every_parameter_matters():
    """Else a layer that is left out of both would not show, and training would not reach it."""
    for kind, config in MOBILE.items():
        ours = ours_of(tower(kind), config)
        ours(pixels_of(2, config.vision.image_size)).square().sum().backward()
        still = [name for name, value in ours.named_parameters() if not value.grad.abs().max() > 0]
        assert still == [], kind


def test_a_published_tower_computes_what_timms_does():
    """In full: MobileCLIP2-S0's, as open_clip's configuration names it."""
    config = read_config({"model_cfg": open_clip().get_model_config("MobileCLIP2-S0")}, "it")
    theirs = randomize(timm().create_model("fastvit_mci0", num_classes=512, global_pool="avg"))
    with torch.inference_mode():  # as deep a network with scales of one makes millions of a rounding
        for name, value in theirs.named_parameters():
            if name.endswith(".gamma"):
                value.mul_(0.1)
    ours, pixels = ours_of(theirs, config), pixels_of(1, 256)
    with torch.inference_mode():
        expected = theirs(pixels)
        assert_near(ours(pixels), expected)
        fold_batch_norms(ours)
        assert_near(ours(pixels), expected)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_model_has_the_tensors_that_are_asked_for(name):
    said = open_clip().get_model_config(name)
    config = read_config({"model_cfg": said}, name)
    given = {key: value for key, value in said.items() if key != "custom_text"}
    with torch.device("meta"):
        theirs = open_clip().model.CustomTextCLIP(**given).state_dict()
    named = timm_names.renamed(theirs, config.vision.variant, name)
    found = {key.removeprefix("text."): tuple(value.shape) for key, value in named.items()}
    assert found == shapes_of(config)
    assert config.text.kind == ("unmasked" if said["text_cfg"]["no_causal_mask"] else "causal")


def test_our_names_lead_back_to_theirs():
    for kind, config in MOBILE.items():
        theirs = {f"visual.trunk.{name}": value for name, value in tower(kind).state_dict().items()}
        back = timm_names.their_names(timm_names.renamed(theirs, config.vision.variant, "it"), config.vision.variant)
        assert {name: tuple(value.shape) for name, value in back.items()} == {
            name: tuple(value.shape) for name, value in theirs.items()
        }
        assert all(torch.equal(value, theirs[name]) for name, value in back.items())


@pytest.mark.parametrize("kind", MOBILE)
def test_made_ready_for_a_device_a_tower_computes_the_same(kind):
    """In the layout that the device likes, and a transformer's layers packed."""
    config = MOBILE[kind]
    ours = ours_of(tower(kind), config)
    ready = copy.deepcopy(ours)
    layout = made_ready(ready, ready, torch.device("cpu"), torch.float32)
    assert layout == (torch.channels_last if kind.startswith("fastvit") else torch.contiguous_format)
    pixels = pixels_of(3, config.vision.image_size)
    with torch.inference_mode():
        assert_near(ready(pixels.contiguous(memory_format=layout)), ours(pixels))
