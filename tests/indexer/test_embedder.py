"""The embedder: cheap until it is needed, and then the model's own numbers."""

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clip_model import load_encoder, load_model, save_model
from clip_model.preprocessing.tokenizer import Tokenizer
from indexer import embedder as embedder_module
from indexer.embedder import Embedder
from indexer.errors import ModelError


@pytest.fixture
def embedder(tiny_model_path):
    return Embedder(str(tiny_model_path), device="cpu", precision="fp32")


def picture(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 56, 3), dtype=np.uint8))


def test_what_the_file_says_needs_no_torch(tiny_model_path):
    code = (
        "import sys; from indexer.embedder import Embedder; "
        f"e = Embedder({str(tiny_model_path)!r}); "
        "print(e.dim, e.image_size, len(e.fingerprint), 'torch' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == ["16", "32", "64", "False"]


def test_prepared_pictures_and_pictures_give_the_same(embedder):
    images = [picture(seed) for seed in range(3)]
    assert not embedder.loaded
    prepared = embedder.embed_prepared([embedder.prepare(image) for image in images])
    assert embedder.loaded
    assert prepared.dtype == np.float16
    np.testing.assert_allclose(prepared, embedder.embed_images(images), atol=2e-3)
    searched = embedder.embed_squares([embedder.prepare(image) for image in images])
    assert searched.dtype == np.float32
    np.testing.assert_allclose(searched, embedder.embed_images(images), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(prepared.astype(np.float32), axis=1), 1, atol=2e-3)


@pytest.mark.parametrize(
    ("resize", "whole"), [("crop", False), ("crop-bilinear", False), ("squash-bilinear", True), ("stretch", True)]
)
def test_cells_are_of_the_whole_picture_unless_it_is_cropped(tiny_model_path, tmp_path, resize, whole):
    model = load_model(tiny_model_path)
    model.config = replace(model.config, vision=replace(model.config.vision, resize=resize))
    save_model(model, tmp_path / "m.safetensors")
    embedder = Embedder(str(tmp_path / "m.safetensors"), device="cpu", precision="fp32")
    square = embedder.prepare(picture(0))
    assert square.shape == (32, 32, 3)
    assert embedder.embed_cells(square)[1] is whole


def test_texts_are_the_encoders(embedder, tiny_model_path):
    texts = ["two dogs on a beach", ""]
    expected = load_encoder(tiny_model_path, device="cpu", precision="fp32").encode_texts(texts)
    np.testing.assert_allclose(embedder.embed_texts(texts), expected, atol=1e-4)
    assert not embedder.loaded
    embedder.load()
    np.testing.assert_array_equal(embedder.embed_texts(texts), expected)


def test_texts_need_no_torch(tiny_model_path):
    code = (
        "import sys; from indexer.embedder import Embedder; "
        f"e = Embedder({str(tiny_model_path)!r}); "
        "print(e.embed_texts(['a dog', 'a cat']).shape, 'torch' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "(2, 16) False"


def test_many_texts_are_torchs(embedder, monkeypatch):
    monkeypatch.setattr("indexer.embedder.FEW_TEXTS", 2)
    embedder.embed_texts(["a", "b"])
    assert not embedder.loaded
    embedder.embed_texts(["a", "b", "c"])
    assert embedder.loaded


@pytest.mark.parametrize("how", [{"device": "cuda:9"}, {"precision": "bf16"}])
def test_a_device_or_a_precision_that_is_asked_for_is_used_for_texts_too(tiny_model_path, how, monkeypatch):
    embedder = Embedder(str(tiny_model_path), **how)
    monkeypatch.setattr(Embedder, "_ready", lambda self: pytest.fail("this loads the model"))
    with pytest.raises(pytest.fail.Exception, match="this loads the model"):
        embedder.embed_texts(["a dog"])


def test_the_plan_is_what_a_load_chooses(embedder):
    assert embedder.plan() == ("cpu", "fp32")
    assert not embedder.loaded
    assert (embedder.device, embedder.precision) == ("cpu", "fp32")


@pytest.mark.parametrize("name", ["no-such-model", "/no/such/model.safetensors"])
def test_an_unknown_model_is_named(name):
    with pytest.raises(ModelError, match=name):
        Embedder(name)


def test_a_damaged_model_is_said_when_it_is_loaded(tiny_model_path, tmp_path):
    path = tmp_path / "cut.safetensors"
    content = tiny_model_path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"cut\.safetensors"):
        Embedder(str(path)).embed_texts(["a"])


@pytest.mark.parametrize("device", ["auto", "numpy"])
def test_a_tokenizer_that_fails_on_a_text_is_an_error_of_the_model(tiny_model_path, monkeypatch, device):
    def failing(self, texts):
        raise ValueError("its tokenizer cannot encode a text: no such piece")

    monkeypatch.setattr(Tokenizer, "ids", failing)
    embedder = Embedder(str(tiny_model_path), device=device, precision="fp32")
    if device == "auto":
        embedder.load()
    with pytest.raises(ModelError, match="cannot encode a text: no such piece"):
        embedder.embed_texts(["a dog"])


def test_a_device_that_is_not_there_is_said(tiny_model_path):
    with pytest.raises(ModelError, match="cuda:9"):
        Embedder(str(tiny_model_path), device="cuda:9").plan()


def test_whoever_waits_for_the_model_may_stop_waiting(embedder, monkeypatch):
    loaded, waited = threading.Event(), []
    monkeypatch.setattr(Embedder, "_ready", lambda self: waited.append(loaded.wait(60)))
    assert embedder.load(lambda: True) is False
    assert not waited
    assert embedder.loading
    loaded.set()
    assert embedder.load() is True
    assert not embedder.loading


def test_a_model_that_cannot_be_loaded_is_said_to_whoever_waits(tiny_model_path, tmp_path):
    path = tmp_path / "cut.safetensors"
    content = tiny_model_path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"cut\.safetensors"):
        Embedder(str(path)).load()


def test_a_file_cut_short_while_texts_are_embedded_is_told(tmp_path, tiny_model_path):
    """It is mapped: to read beyond its end would end the process."""
    model = shutil.copyfile(tiny_model_path, tmp_path / "model.safetensors")
    embedder = Embedder(str(model))
    embedder.embed_texts(["a dog"])
    os.truncate(model, 1000)
    with pytest.raises(ModelError, match="is not the model that it was"):
        embedder.embed_texts(["a cat"])


def test_a_process_that_asks_on_gets_torch(tiny_model_path, monkeypatch):
    monkeypatch.setattr(embedder_module, "FEW_CALLS", 3)
    embedder = Embedder(str(tiny_model_path), precision="fp32")
    for number in range(3):
        embedder.embed_texts([f"text {number}"])
    assert embedder.holds_memory and not embedder.loaded and not embedder.loading
    first = embedder.embed_texts(["a dog"])
    assert embedder.load()
    assert np.allclose(embedder.embed_texts(["a dog"]), first, atol=1e-4)
    assert "_light" not in embedder.__dict__


def test_unloading_lets_go_of_what_embeds_without_torch(tiny_model_path):
    embedder = Embedder(str(tiny_model_path))
    embedder.embed_texts(["a dog"])
    assert embedder.holds_memory
    embedder.unload()
    assert not embedder.holds_memory
