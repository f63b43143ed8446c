"""Features of a seeded model, as they were: any change of what the network computes shows.

All numbers of the model and of its inputs are small multiples of powers of two, so few and so even that sums in float32
are exact in whatever order a processor takes them, up to the first step that rounds (a norm, a softmax, a GELU). What
is exact is compared to the bit. What follows is compared to 2e-6 of the largest feature, since processors differ in the
last bits there: a changed step or constant moves it by orders of magnitude more, and so does one weight near the end;
one near the beginning may move it by less, so that this is no check of a single bit there.
"""

import hashlib

import numpy as np
import pytest
import torch

from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.model import CLIP
from clip_model.preprocessing.tokenizer import default_tokenizer

CONFIGS = {
    "vit": CLIPConfig(4, VisionConfig(16, 1, 8, 8, 4), TextConfig(width=8, heads=2, layers=1)),
    "resnet": CLIPConfig(4, VisionConfig(32, (1, 1, 1, 1), 4, None, 32), TextConfig(width=8, heads=2, layers=1)),
}
EXACT = {  # SHA-256 of what the first layer makes of pixels, before anything rounds
    "vit": "01a561ff17c47395fa7f407d781068de418d6e7840387d410b2052883c87cea7",
    "resnet": "4b914fdfc66ad821f0d658223c09edebad02c988aec7ade86b7210c2f9adcc25",
}
IMAGES = {  # computed in float64
    "vit": [
        [-0.038794086, -0.472949857, 0.073801188, 0.567408026],
        [-0.026261204, -0.470024675, 0.054060187, 0.627734017],
        [-0.029076602, -0.467686828, 0.038917191, 0.643379082],
    ],
    "resnet": [
        [-0.080008736, -8.821660444, -6.376326983, 0.360885834],
        [-0.080007875, -8.821661839, -6.376329182, 0.360886316],
        [-0.080008354, -8.821660935, -6.376327816, 0.360885995],
    ],
}
TEXTS = {
    "vit": [
        [-0.296484618, 0.417381661, -0.19481527, -0.599018614],
        [-0.300524038, 0.447460557, -0.149462661, -0.5455582],
        [-0.277288451, 0.409499887, -0.178517033, -0.591209844],
    ]
}


def dyadic(shape, seed, step=2**-4):
    """Numbers among -7 .. 7 steps, of a generator that is the same everywhere."""
    count = int(np.prod(shape, dtype=np.int64))
    state, out = np.uint64(seed * 2 + 1), np.empty(count, dtype=np.float32)
    numbers = (np.arange(count, dtype=np.uint64) + state) * np.uint64(0x9E3779B97F4A7C15)
    numbers ^= numbers >> np.uint64(29)
    numbers *= np.uint64(0xBF58476D1CE4E5B9)
    out[:] = (numbers >> np.uint64(40)).astype(np.int64) % 15 - 7
    return torch.from_numpy(out * np.float32(step)).reshape(shape)


def model(kind):
    made = CLIP(CONFIGS[kind])
    with torch.no_grad():
        for seed, (name, value) in enumerate(made.state_dict().items()):
            if not value.is_floating_point():
                continue
            value.copy_(1 + dyadic(value.shape, seed).abs() if "running_var" in name else dyadic(value.shape, seed))
    return made.eval()


def pixels(kind):
    side = CONFIGS[kind].vision.image_size
    return dyadic((3, 3, side, side), 99, 2**-3)


def features(made, kind):
    tokens = default_tokenizer()(["a dog", "", "two cats asleep on a red sofa"])
    with torch.inference_mode():
        return made.encode_image(pixels(kind)).numpy(), made.encode_text(tokens).numpy()


def assert_as_before(got, said):
    expected = np.array(said, dtype=np.float64)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 2e-6 * np.abs(expected).max()


def hash_of_first_layer(made, kind):
    with torch.inference_mode():
        first = made.visual.conv1(pixels(kind)).contiguous().numpy().astype("<f4")
    return hashlib.sha256(first.tobytes()).hexdigest()


@pytest.mark.parametrize("kind", CONFIGS)
def test_what_is_exact_is_the_same_to_the_bit(kind):
    assert hash_of_first_layer(model(kind), kind) == EXACT[kind]


@pytest.mark.parametrize("kind", CONFIGS)
def test_pictures_have_the_features_that_they_had(kind):
    assert_as_before(features(model(kind), kind)[0], IMAGES[kind])


def test_texts_have_the_features_that_they_had():
    assert_as_before(features(model("vit"), "vit")[1], TEXTS["vit"])


@pytest.mark.parametrize("name", ["visual.proj", "visual.ln_post.bias", "text_projection", "ln_final.bias"])
def test_a_change_of_one_weight_shows(name):
    """By 2**-12, a step that float16 weights of this size have."""
    made = model("vit")
    with torch.no_grad():
        made.get_parameter(name).view(-1)[3] += 2**-12
    images, texts = features(made, "vit")
    with pytest.raises(AssertionError):
        assert_as_before(images, IMAGES["vit"])
        assert_as_before(texts, TEXTS["vit"])


def test_a_change_of_one_bit_shows_where_sums_are_exact():
    made = model("vit")
    with torch.no_grad():
        made.visual.conv1.weight.view(-1)[5] += 2**-12
    assert hash_of_first_layer(made, "vit") != EXACT["vit"]
