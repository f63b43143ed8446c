"""Checkpoints of other programs, named to a command: converted once, searched with, or refused in one sentence."""

import json
import sys

import pytest
import torch
from PIL import Image

from app.cli import commands
from clip_model.checkpoints import roberta
from tests.clip_model.checkpoints.openai_files import save_archive
from tests.clip_model.checkpoints.reference_models import TEXT, VIT, model_of
from tests.clip_model.checkpoints.roberta_folders import (
    HEADS,
    LAYERS,
    VOCABULARY,
    WIDTH,
    reference,
    save_folder,
    save_network,
    text_cfg,
)
from tests.clip_model.mobile.timm_towers import said_of, small_published


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (64, 48), name).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def picsift(tmp_path, monkeypatch, capsys):
    """Run a command in this process: its exit status and both streams. Its caches are of this test."""
    config = tmp_path / "config.toml"
    config.write_text("")
    said = {"CONFIG": config, "LIBRARY": tmp_path / "library", "CONVERTED_MODELS": tmp_path / "models", "DEVICE": "cpu",
            "PRECISION": "fp32", "MIN_RELEVANCE": 0}  # fmt: skip
    for name, value in said.items():
        monkeypatch.setenv(f"PICSIFT_{name}", str(value))

    def run(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["picsift", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            commands.main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_a_library_lives_with_a_mobile_clip(tmp_path, photos, picsift):
    folder = tmp_path / "mobile"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": said_of("fastvit")}))
    with small_published():
        said = {name: value for name, value in said_of("fastvit").items() if name != "custom_text"}
        model = model_of(**{**said, "quick_gelu": False}, kind="CustomTextCLIP")
        torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
        status, out, _ = picsift("index", photos, "--model", folder, "--json")
    assert (status, json.loads(out)["added"]) == (0, 3)
    status, out, err = picsift("search", "a", "red", "photo", "--json")
    assert (status, err, len(json.loads(out)["hits"]) >= 2) == (0, "", True)
    status, out, _ = picsift("models", "info", folder, "--json")
    (info,) = json.loads(out)
    assert (status, info["dim"], info["name"]) == (0, 24, str(folder))


def test_a_library_lives_with_another_programs_file(tmp_path, photos, picsift):
    path = tmp_path / "tiny openclip.pt"
    torch.save(model_of().state_dict(), path)
    said = {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT, "quick_gelu": True}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": said}))
    status, out, err = picsift("index", photos, "--model", path, "--json")
    assert (status, json.loads(out)["added"]) == (0, 3)
    assert err.startswith(f"picsift: converting {path} (OpenCLIP, ")
    assert len(err.splitlines()) == 1
    for arguments in (["search", "a", "red", "photo"], ["similar", photos / "red.png"]):
        status, out, err = picsift(*arguments, "--json")
        assert (status, err) == (0, "")
        assert len(json.loads(out)["hits"]) >= 2
    _, out, _ = picsift("status", "--json")
    assert json.loads(out)["model"]["name"] == str(path)

    for file in (tmp_path / "models").iterdir():  # a cache may be cleared away
        file.unlink()
    status, _, err = picsift("search", "red", "--json")
    assert status == 0
    assert "converting" in err
    _, out, err = picsift("index", photos, "--json")
    assert (json.loads(out)["added"], json.loads(out)["updated"], err) == (0, 0, "")


def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path, photos, picsift):
    path = save_archive(model_of(), tmp_path / "tiny.pt")
    path.write_bytes(path.read_bytes()[:-100])
    status, _, err = picsift("index", photos, "--model", path)
    assert status == 1
    assert err.splitlines()[-1].startswith(f"picsift: {path} is damaged or cut short")
    assert "Traceback" not in err


def test_a_library_is_embedded_in_int8_and_goes_on_in_another_precision(tmp_path, photos, picsift, monkeypatch):
    path = tmp_path / "tiny.pt"
    torch.save(model_of().state_dict(), path)
    said = {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT, "quick_gelu": True}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": said}))
    monkeypatch.setenv("PICSIFT_PRECISION", "int8")
    status, out, err = picsift("index", photos, "--model", path, "--json")
    assert (status, json.loads(out)["added"]) == (0, 3)
    assert [line.partition(" (")[0].split(" once")[0] for line in err.splitlines()] == [
        f"picsift: converting {path}",
        "picsift: making the image tower's 8-bit form",
    ]
    assert [file.suffix for file in sorted((tmp_path / "models/int8").iterdir()) if file.suffix] == [".json", ".onnx"]
    _, out, _ = picsift("status", "--json")
    assert json.loads(out)["precision"] == "int8"
    for precision in ("int8", "fp32"):
        monkeypatch.setenv("PICSIFT_PRECISION", precision)
        status, out, err = picsift("similar", photos / "red.png", "--json")
        assert (status, err) == (0, "")
        assert len(json.loads(out)["hits"]) >= 2
        _, out, _ = picsift("index", photos, "--json")
        assert (json.loads(out)["added"], json.loads(out)["updated"]) == (0, 0)


def test_a_library_is_searched_through_a_roberta(tmp_path, photos, picsift, monkeypatch):
    network = save_network(tmp_path / "network")
    monkeypatch.setattr(roberta, "NETWORKS", {network: roberta.Network(VOCABULARY, WIDTH, HEADS, LAYERS)})
    said = text_cfg(network)
    folder = save_folder(tmp_path / "folder", reference(said), said)
    status, out, _ = picsift("index", photos, "--model", folder, "--json")
    assert (status, json.loads(out)["added"]) == (0, 3)
    status, out, err = picsift("search", "ein", "roter", "Hund", "--json")
    assert (status, err) == (0, "")
    assert len(json.loads(out)["hits"]) >= 2
