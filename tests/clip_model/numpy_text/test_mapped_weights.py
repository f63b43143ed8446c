"""Tensors of a mapped file, in each format that they are stored in."""

import numpy as np
import pytest

from clip_model.checkpoint import save_model
from clip_model.numpy_text.mapped_weights import MappedWeights, _as_float32
from tests.clip_model.tiny_models import CONFIGS, random_clip

NAME = "transformer.resblocks.0.mlp.c_fc.weight"


@pytest.fixture
def model():
    return random_clip(CONFIGS["vit"])


def test_every_float16_there_is_becomes_the_same_float32():
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    np.testing.assert_array_equal(_as_float32(finite), finite.astype(np.float32))
    np.testing.assert_array_equal(_as_float32(every), every.astype(np.float32))


def test_every_bfloat16_there_is_is_the_upper_half_of_a_float32():
    halves = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(_as_float32(halves).view(np.uint32), halves.astype(np.uint32) << 16)


def test_a_product_is_the_same_the_second_time_and_leaves_no_trace_in_others(model, tmp_path):
    import torch

    save_model(model, tmp_path / "m.safetensors", dtype=torch.float16)
    weights, x = MappedWeights(tmp_path / "m.safetensors"), np.eye(32, dtype=np.float32)[None]
    first = weights.product(x, NAME)
    other = weights.product(x, NAME.replace("0", "1"))
    np.testing.assert_array_equal(first[0].T, model.state_dict()[NAME].half().float())
    np.testing.assert_array_equal(weights.product(x, NAME), first)
    np.testing.assert_array_equal(weights.product(x, NAME.replace("0", "1")), other)
    assert not np.array_equal(first, other)


def test_rows_are_those_of_the_tensor(model, tmp_path):
    save_model(model, tmp_path / "m.safetensors")
    weights = MappedWeights(tmp_path / "m.safetensors")
    rows = np.array([[0, 5], [49407, 5]])
    np.testing.assert_array_equal(
        weights.rows("token_embedding.weight", rows), model.state_dict()["token_embedding.weight"].numpy()[rows]
    )


def test_a_place_outside_the_file_or_of_another_size_holds_nothing(model, tmp_path):
    save_model(model, tmp_path / "m.safetensors")
    weights = MappedWeights(tmp_path / "m.safetensors")
    assert weights.holds(NAME, (128, 32))
    assert not weights.holds(NAME, (32, 128))
    assert not weights.holds("no such tensor", (1,))
    from dataclasses import replace

    entry = weights.header.tensors[NAME]
    for changed in (replace(entry, end=entry.end + 4), replace(entry, start=-1), replace(entry, dtype="I64")):
        weights.header.tensors[NAME] = changed
        assert not weights.holds(NAME, (128, 32))
