"""Averaging weights."""

import pytest
import torch

from clip_model.checkpoint import load_model, save_model
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.model import CLIP
from clip_model.training.average import average, main


def model(seed, embed_dim=16):
    torch.manual_seed(seed)
    vision = VisionConfig(image_size=32, layers=(1, 1, 1, 1), width=16, patch_size=None)  # has counters of batches, too
    return CLIP(CLIPConfig(embed_dim=embed_dim, vision=vision, text=TextConfig(width=16, heads=2, layers=1)))


def test_every_tensor_is_the_mean(tmp_path):
    for seed in (0, 1):
        save_model(model(seed), tmp_path / f"{seed}.safetensors")
    main([*(str(tmp_path / f"{seed}.safetensors") for seed in (0, 1)), "--out", str(tmp_path / "mean.safetensors")])
    one, two = model(0).state_dict(), model(1).state_dict()
    found = load_model(tmp_path / "mean.safetensors").state_dict()
    assert found.keys() == one.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, (one[name].double() + two[name].double()).div(2).to(value.dtype))
    assert not torch.equal(found["visual.conv1.weight"], one["visual.conv1.weight"])


def test_it_is_half_as_large_where_that_is_asked_for(tmp_path):
    save_model(model(0), tmp_path / "0.safetensors")
    for name, asked in (("whole", []), ("half", ["--half"])):
        main([str(tmp_path / "0.safetensors"), "--out", str(tmp_path / name), *asked])
    kept = load_model(tmp_path / "half").state_dict()["visual.conv1.weight"]
    whole, half = ((tmp_path / name).stat().st_size for name in ("whole", "half"))
    assert half < 0.6 * whole
    torch.testing.assert_close(kept, model(0).state_dict()["visual.conv1.weight"].half().float())


def test_different_architectures_have_no_mean():
    with pytest.raises(ValueError, match="different architecture"):
        average([model(0), model(0, embed_dim=32)])
    with pytest.raises(ValueError, match="no model"):
        average([])
