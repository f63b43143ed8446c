"""Whose tower a file is: the network at hand tells, whatever its name and its note say."""

import dataclasses
import os
import shutil
import threading

import numpy as np
import pytest
import torch
from filelock import FileLock

import clip_model.inference as inference
from clip_model.checkpoint import save_model
from clip_model.config import CLIPConfig, VisionConfig
from clip_model.inference import Encoder
from clip_model.int8 import graph, kept, proving
from clip_model.int8.kept import int8_tower
from clip_model.model import CLIP
from indexer.embedder import Embedder
from indexer.errors import ModelError
from tests.clip_model.tiny_models import TEXT, random_clip

VISION = VisionConfig(image_size=32, layers=2, width=64, patch_size=8, head_width=32)
CONFIG = CLIPConfig(24, VISION, TEXT)


@pytest.fixture(scope="module")
def model():
    return random_clip(CONFIG)


@pytest.fixture(scope="module")
def other():
    return random_clip(CONFIG, seed=5)


@pytest.fixture
def makings(monkeypatch):
    """Counts how often a graph is made."""
    seen, make = [], graph.quantized_graph
    monkeypatch.setattr(kept, "quantized_graph", lambda *given: seen.append(given) or make(*given))
    return seen


def towers(folder):
    return sorted((folder / "int8").glob("*.onnx"))


def squares():
    return list(np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8))


def test_weights_that_changed_while_they_were_loaded_leave_no_tower_to_the_old_ones(
    model, other, tmp_path, monkeypatch
):
    path, swapped, load = tmp_path / "mine.safetensors", tmp_path / "other.safetensors", inference.load_model
    save_model(model, path)
    save_model(other, swapped)
    before = path.read_bytes()

    def racing(asked):
        path.write_bytes(swapped.read_bytes())
        return load(asked)

    def embedder():
        return Embedder(str(path), device="cpu", precision="int8", converted=tmp_path / "models")

    with monkeypatch.context() as while_loading:
        while_loading.setattr(inference, "load_model", racing)
        with pytest.raises(ModelError, match="is not the model that it was"):
            embedder().embed_squares(squares())
    path.write_bytes(before)
    got = embedder().embed_squares(squares())
    expected = Encoder(model, device="cpu", precision="fp32").encode_squares(squares())
    assert (got * expected).sum(axis=1).min() > 0.99
    assert len(towers(tmp_path / "models")) == 1


def test_files_of_another_network_under_its_names_are_made_anew(model, other, tmp_path, makings):
    int8_tower(other.visual, CONFIG, "same", tmp_path / "other")
    int8_tower(model.visual, CONFIG, "same", tmp_path)
    for mine, theirs in zip(towers(tmp_path), towers(tmp_path / "other"), strict=True):
        for suffix in (".onnx", ".json"):
            shutil.copy(theirs.with_suffix(suffix), mine.with_suffix(suffix))
    pixels = proving.drawn_pixels(VISION)
    with torch.inference_mode():
        got = int8_tower(model.visual, CONFIG, "same", tmp_path)(pixels)
        assert proving.least_cosine(got, model.visual(pixels)) > 0.99
    assert len(makings) == 3


def test_the_same_weights_with_another_gelu_are_another_tower(model, tmp_path, makings):
    exact = dataclasses.replace(CONFIG, quick_gelu=not CONFIG.quick_gelu)
    twin = CLIP(exact)
    twin.load_state_dict(model.state_dict())
    int8_tower(model.visual, CONFIG, "", tmp_path)
    int8_tower(twin.eval().visual, exact, "", tmp_path)
    assert len(makings) == len(towers(tmp_path)) == 2


def test_those_of_other_libraries_go_when_a_model_has_a_new_one(model, tmp_path, monkeypatch):
    int8_tower(model.visual, CONFIG, "", tmp_path)  # of no model that could be named
    int8_tower(model.visual, CONFIG, "of the model", tmp_path)
    int8_tower(model.visual, CONFIG, "of another", tmp_path)
    before = towers(tmp_path)
    monkeypatch.setattr("onnxruntime.__version__", "99")
    int8_tower(model.visual, CONFIG, "of the model", tmp_path)
    after = towers(tmp_path)
    assert (len(before), len(after), len({*before} & {*after})) == (3, 3, 2)


def test_a_library_that_cannot_be_loaded_is_told_with_the_extra(model, tmp_path, monkeypatch):
    (tmp_path / "onnxruntime.py").write_text("raise OSError('libfoo.so: cannot open shared object')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "onnxruntime", raising=False)
    with pytest.raises(
        ValueError, match=r"\(libfoo.so: cannot open shared object\); they are of the extra 'int8': pip"
    ):
        int8_tower(model.visual, CONFIG, "", tmp_path)


def test_one_that_is_there_needs_no_lock(model, tmp_path, makings, monkeypatch):
    """A folder that cannot be written is as good: root, as whom tests may run, writes anywhere."""
    int8_tower(model.visual, CONFIG, "", tmp_path)
    monkeypatch.setattr(kept, "_alone", None)
    int8_tower(model.visual, CONFIG, "", tmp_path)
    assert len(makings) == 1


def test_who_waits_for_another_says_so_and_finds_it_made(model, tmp_path, makings, monkeypatch, caplog):
    int8_tower(model.visual, CONFIG, "", tmp_path)
    (mine,) = towers(tmp_path)
    note = mine.with_suffix(".json").read_bytes()
    mine.with_suffix(".json").unlink()
    monkeypatch.setattr(kept, "_PATIENCE_S", 0.01)
    told = threading.Event()
    monkeypatch.setattr(kept.logger, "warning", lambda *said: told.set())
    lock = FileLock(tmp_path / f"int8/lock-{mine.stem}")
    with lock:
        waiting = threading.Thread(target=int8_tower, args=(model.visual, CONFIG, "", tmp_path))
        waiting.start()
        assert told.wait(60)
        mine.with_suffix(".json").write_bytes(note)
    waiting.join(60)
    assert len(makings) == 1


def test_a_lock_is_of_one_tower(model, other, tmp_path, monkeypatch):
    int8_tower(model.visual, CONFIG, "", tmp_path)
    with FileLock(tmp_path / f"int8/lock-{towers(tmp_path)[0].stem}"):
        int8_tower(other.visual, CONFIG, "", tmp_path)
    assert len(towers(tmp_path)) == 2


def test_a_full_disk_names_the_folder_and_the_setting(model, tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(28, os.strerror(28), str(path))

    monkeypatch.setattr(kept, "write_atomically", full)
    with pytest.raises(OSError, match=r"int8 \(.*No space left.*'converted_models' names another"):
        int8_tower(model.visual, CONFIG, "", tmp_path)
