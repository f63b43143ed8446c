"""The text towers in NumPy: the embeddings that torch computes, to 1e-4, and nothing where they cannot be had."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from clip_model.checkpoint import load_model, save_model
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.inference import Encoder
from clip_model.numpy_text.mapped_weights import MappedWeights
from clip_model.numpy_text.text_encoder import TextEncoder, open_text_encoder
from clip_model.registry import resolve
from tests.clip_model.tiny_models import random_clip

VISION = VisionConfig(image_size=32, layers=1, width=16, patch_size=16, head_width=16)
CAUSAL = TextConfig(width=32, heads=4, layers=2)
SENTENCE = TextConfig(24, 30522, 32, 4, 3, kind="sentence", hidden=8)
CONFIGS = {
    "causal": CLIPConfig(24, VISION, CAUSAL),
    "causal-gelu": CLIPConfig(24, VISION, CAUSAL, quick_gelu=False),
    "causal-short": CLIPConfig(24, VISION, TextConfig(context_length=5, width=32, heads=2, layers=1)),
    "unmasked": CLIPConfig(24, VISION, replace(CAUSAL, kind="unmasked", context_length=40), quick_gelu=False),
    "sentence": CLIPConfig(24, VISION, SENTENCE, quick_gelu=False),
    "sentence-linear": CLIPConfig(24, VISION, TextConfig(24, 30522, 32, 2, 1, kind="sentence")),
}
TEXTS = [
    "two dogs on a beach", "", " ", "!", "a", "\0", "[SEP] <end_of_text> dog", "éàü 東京 😀", "x" * 300,
    "a long text about nothing at all " * 40, *("word " * count for count in range(1, 40)), "a", "",
]  # fmt: skip


@pytest.fixture(params=CONFIGS)
def model(request):
    return random_clip(CONFIGS[request.param])


def expected(model, texts):
    return Encoder(model, device="cpu", precision="fp32").encode_texts(texts)


def written(model, path, dtype):
    """A file in a format that `save_model` does not write, as other tools do."""
    save_model(model, path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name).to(dtype) for name in file.keys()}  # noqa: SIM118  not a mapping
    save_file(tensors, path, metadata)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_embeddings_are_torchs(model, tmp_path, dtype):
    path = written(model, tmp_path / "m.safetensors", dtype)
    encoder, wanted = open_text_encoder(path), expected(load_model(path), TEXTS)
    for _ in range(2):  # weights that are asked for again are kept
        got = encoder.encode_texts(TEXTS)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["builtin", "builtin-1"])
def test_the_models_that_ship_give_what_they_give_in_torch(name):
    path = resolve(name).path
    texts = ["two dogs on a beach at sunset", "", "a long text about nothing at all " * 40, "München"]
    np.testing.assert_allclose(
        open_text_encoder(path).encode_texts(texts), expected(load_model(path), texts), atol=1e-4
    )


def test_a_text_is_embedded_as_it_is_alone(model, tmp_path):
    save_model(model, tmp_path / "m.safetensors")
    encoder = open_text_encoder(tmp_path / "m.safetensors")
    alone = np.concatenate([encoder.encode_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), alone, atol=1e-5)
    assert encoder.encode_texts([]).shape == (0, 24)


def test_large_features_overflow_nothing(tmp_path):
    for name, config in CONFIGS.items():
        model = random_clip(config)
        with torch.no_grad():
            for key, value in model.state_dict().items():
                if "c_fc" in key or "in_proj" in key:
                    value.mul_(300)
        path = tmp_path / f"{name}.safetensors"
        save_model(model, path)
        np.testing.assert_allclose(open_text_encoder(path).encode_texts(TEXTS), expected(model, TEXTS), atol=1e-3)


def test_a_text_without_a_direction_is_named(model, tmp_path):
    path = written(model, tmp_path / "m.safetensors", torch.float32)
    weights = MappedWeights(path)
    last = "text_projection" if model.text is None else "text.head.linear.weight"
    weights._kept[last] = np.full_like(weights(last), np.nan)
    weights._asked.add(last)
    with pytest.raises(ValueError, match="no direction for text number 0"):
        TextEncoder(weights).encode_texts(["a dog", "a cat"])


def test_it_is_named_by_its_place_among_those_given(model, tmp_path):
    encoder = TextEncoder(MappedWeights(written(model, tmp_path / "m.safetensors", torch.float32)))

    def features(weights, tokens):
        lengths = (tokens != 0).sum(axis=1)
        return np.where(lengths == lengths.max(), 0.0, np.ones((encoder.dim, 1))).T

    encoder._features = features
    with pytest.raises(ValueError, match="text number 3"):
        encoder.encode_texts(["a dog", "a dog", "a cat", "a cat that sleeps on a mat in the sun", "a cat"])


@pytest.mark.parametrize(
    ("change", "message"),
    [("missing", "1 tensor missing"), ("shape", "the wrong shape"), ("dtype", "is of type F64")],
)
def test_a_file_of_another_network_is_said(model, tmp_path, change, message):
    path = tmp_path / "m.safetensors"
    save_model(model, path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    name = next(name for name in tensors if name.endswith("mlp.c_fc.weight") and "visual" not in name)
    if change == "missing":
        del tensors[name]
    else:
        tensors[name] = tensors[name][:-1].contiguous() if change == "shape" else tensors[name].double()
    save_file(tensors, path, metadata)
    with pytest.raises(ValueError, match=message) as refused:
        open_text_encoder(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("left", [0, 100, -1])
def test_a_damaged_file_is_said(model, tmp_path, left):
    path = tmp_path / "m.safetensors"
    save_model(model, path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match=str(path)):
        open_text_encoder(path)
    with pytest.raises(FileNotFoundError):
        open_text_encoder(Path(f"{path}-not-there"))
