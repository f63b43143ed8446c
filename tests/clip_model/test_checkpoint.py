import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from clip_model.checkpoint import load_model, save_model
from clip_model.model import CLIP
from tests.clip_model.tiny_models import CONFIGS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def rewrite(path, change):
    """Save the tensors of a model again, after `change` had its way with them."""
    with safe_open(path, framework="pt") as file:
        state, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    change(state)
    save_file(state, path, metadata)


def test_a_model_survives_exactly(model, path):
    save_model(model, path, {"title": "a test", "seed": "1"})
    loaded = load_model(path)
    assert loaded.config == model.config
    assert not loaded.training
    expected, got = model.state_dict(), loaded.state_dict()
    assert list(got) == list(expected)
    assert all(torch.equal(got[name], expected[name]) and got[name].dtype == expected[name].dtype for name in expected)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata.keys() == {"config", "title", "seed"}
    assert json.loads(metadata["config"]) == json.loads(json.dumps(model.config.to_dict()))


def test_half_precision_halves_the_file_and_loads_as_float32(model, tmp_path):
    save_model(model, tmp_path / "32.safetensors")
    save_model(model, tmp_path / "16.safetensors", dtype=torch.float16)
    assert (tmp_path / "16.safetensors").stat().st_size < 0.51 * (tmp_path / "32.safetensors").stat().st_size
    loaded = load_model(tmp_path / "16.safetensors")
    for name, value in model.state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(loaded.state_dict()[name], expected)
        assert loaded.state_dict()[name].dtype == value.dtype


def test_a_loaded_model_can_be_trained_on(model, path):
    save_model(model, path)
    loaded = load_model(path).train()
    side = loaded.config.vision.image_size
    loaded.encode_image(torch.randn(2, 3, side, side)).sum().backward()
    assert all(p.requires_grad for p in loaded.parameters())
    assert any(p.grad is not None for p in loaded.visual.parameters())


def test_a_loaded_model_does_not_depend_on_its_file(model, path):
    save_model(model, path)
    loaded = load_model(path)
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(loaded.text_projection, model.text_projection)


def test_missing_unknown_and_misshapen_tensors_are_named(path):
    save_model(CLIP(CONFIGS["vit"]), path)
    rewrite(path, lambda state: state.update(spare=state.pop("ln_final.bias")))
    with pytest.raises(ValueError, match=r"1 tensor missing \(ln_final.bias\), 1 unknown \(spare\)"):
        load_model(path)
    save_model(CLIP(CONFIGS["vit"]), path)
    rewrite(path, lambda state: state.update({"ln_final.bias": torch.zeros(7)}))
    with pytest.raises(ValueError, match=r"ln_final.bias: expected \(32,\), got \(7,\)"):
        load_model(path)


def test_a_long_list_of_missing_tensors_is_shortened(path):
    save_model(CLIP(CONFIGS["vit"]), path)
    rewrite(path, lambda state: [state.pop(name) for name in list(state)[:20]])
    with pytest.raises(ValueError, match=r"20 tensors missing \(.* and 15 more\), 0 unknown \(none\)"):
        load_model(path)


def test_a_file_that_was_cut_short_is_refused(path):
    save_model(CLIP(CONFIGS["vit"]), path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="damaged or cut short"):
        load_model(path)


def test_a_file_whose_tensors_overlap_is_refused(path):
    save_model(CLIP(CONFIGS["vit"]), path)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    names = [name for name in header if name != "__metadata__"]
    header[names[0]]["data_offsets"] = header[names[1]]["data_offsets"]
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + data[8 + length :])
    with pytest.raises(ValueError, match="is damaged"):
        load_model(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_weights_that_are_not_finite_are_not_saved(path, value):
    model = CLIP(CONFIGS["vit"])
    with torch.no_grad():
        model.ln_final.weight[3] = value
    with pytest.raises(ValueError, match=r"ln_final.weight holds values that are not finite in torch.float16"):
        save_model(model, path, dtype=torch.float16)
    assert not path.exists()


def test_other_precisions_and_a_second_configuration_are_refused(path):
    with pytest.raises(ValueError, match=r"float16 or float32, got torch\.bfloat16"):
        save_model(CLIP(CONFIGS["vit"]), path, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match="'config' is the model's own"):
        save_model(CLIP(CONFIGS["vit"]), path, {"config": "{}"})
