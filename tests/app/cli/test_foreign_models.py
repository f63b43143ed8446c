"""Checkpoints of other programs, named to a command: converted once, searched with, or refused in one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.cli import commands
from tests.clip_model.checkpoints.openai_files import save_archive
from tests.clip_model.checkpoints.reference_models import TEXT, VIT, model_of

ROOT = Path(commands.__file__).parents[2]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (64, 48), name).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def picsift(tmp_path):
    """Run a command as a process of its own, whose caches are of this test."""
    config = tmp_path / "config.toml"
    config.write_text("")
    said = {"CONFIG": config, "LIBRARY": tmp_path / "library", "CONVERTED_MODELS": tmp_path / "models", "DEVICE": "cpu",
            "PRECISION": "fp32", "MIN_RELEVANCE": 0}  # fmt: skip
    environment = {**os.environ, **{f"PICSIFT_{name}": str(value) for name, value in said.items()}}

    def run(*arguments):
        command = [sys.executable, "-m", "app.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)

    return run


def test_a_library_lives_with_another_programs_file(tmp_path, photos, picsift):
    path = tmp_path / "tiny openclip.pt"
    torch.save(model_of().state_dict(), path)
    said = {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT, "quick_gelu": True}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": said}))
    done = picsift("index", photos, "--model", path, "--json")
    assert (done.returncode, json.loads(done.stdout)["added"]) == (0, 3)
    assert done.stderr.startswith(f"picsift: converting {path} (OpenCLIP, ")
    assert len(done.stderr.splitlines()) == 1
    for arguments in (["search", "a", "red", "photo"], ["similar", photos / "red.png"]):
        found = picsift(*arguments, "--json")
        assert (found.returncode, found.stderr) == (0, "")
        assert len(json.loads(found.stdout)["hits"]) >= 2
    assert json.loads(picsift("status", "--json").stdout)["model"]["name"] == str(path)

    for file in (tmp_path / "models").iterdir():  # a cache may be cleared away
        file.unlink()
    found = picsift("search", "red", "--json")
    assert found.returncode == 0
    assert "converting" in found.stderr
    again = picsift("index", photos, "--json")
    assert (json.loads(again.stdout)["added"], json.loads(again.stdout)["updated"], again.stderr) == (0, 0, "")


def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path, photos, picsift):
    path = save_archive(model_of(), tmp_path / "tiny.pt")
    path.write_bytes(path.read_bytes()[:-100])
    done = picsift("index", photos, "--model", path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"picsift: {path} is damaged or cut short")
    assert "Traceback" not in done.stderr
