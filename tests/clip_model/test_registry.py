import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from clip_model import registry
from clip_model.hub import fingerprint
from clip_model.preprocessing.tokenizer import Tokenizer
from clip_model.preprocessing.transforms import normalize
from clip_model.registry import ModelInfo, available, resolve


@pytest.fixture
def builtin(tiny_model_path, tmp_path, monkeypatch):
    """The tiny model in the place of the built-in one."""
    path = tmp_path / "weights" / "builtin.safetensors"
    path.parent.mkdir()
    shutil.copy(tiny_model_path, path)
    monkeypatch.setattr(registry, "_registered", lambda: {"builtin": path})
    return path


def test_a_name_is_found(builtin):
    fingerprint = hashlib.sha256(builtin.read_bytes()).hexdigest()
    info = resolve("builtin")
    assert info == ModelInfo("builtin", builtin, 16, 32, info.parameters, fingerprint, "built-in")
    assert available() == [info]


def test_weights_that_are_not_there_are_not_available(builtin):
    builtin.unlink()
    assert available() == []
    with pytest.raises(FileNotFoundError, match=str(builtin)):
        resolve("builtin")


def test_the_builtin_model_lies_in_the_package():
    assert registry._registered()["builtin"] == Path(registry.__file__).parent / "weights" / "builtin.safetensors"


def test_a_path_is_found_as_file_folder_and_string(tiny_model_path, tmp_path, monkeypatch):
    folder = tmp_path / "my model"
    folder.mkdir()
    shutil.copy(tiny_model_path, folder / "model.safetensors")
    expected = resolve(folder / "model.safetensors")
    assert (expected.name, expected.source) == (str(folder / "model.safetensors"), "file")
    assert resolve(folder) == resolve(str(folder)) == resolve(expected.name) == expected
    monkeypatch.chdir(tmp_path)
    assert resolve("my model") == resolve("./my model") == expected


def test_the_home_folder_may_be_a_tilde(tiny_model_path, tmp_path, monkeypatch):
    shutil.copy(tiny_model_path, tmp_path / "m.safetensors")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("~/m.safetensors").dim == 16


def test_a_file_called_like_a_registered_name_does_not_hide_it(builtin, tmp_path, monkeypatch):
    (tmp_path / "builtin").write_text("not a model")
    monkeypatch.chdir(tmp_path)
    assert resolve("builtin").source == "built-in"


@pytest.mark.parametrize("name", ["ViT-B-99", "", "builtin2"])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ValueError, match=f"unknown model '{name}'; known are: builtin"):
        resolve(name)


@pytest.mark.parametrize("name", ["/nowhere/model.safetensors", "model.safetensors", "./model", Path("model")])
def test_a_missing_path_is_named(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no model weights at .*model"):
        resolve(name)


def test_a_folder_without_weights_is_named(tmp_path):
    said = (
        r"holds no model: neither model\.safetensors nor another program's, with its open_clip_config.* or config\.json"
    )
    with pytest.raises(FileNotFoundError, match=said + "$"):
        resolve(tmp_path)
    (tmp_path / "snapshots").mkdir()
    with pytest.raises(
        FileNotFoundError, match=said + "; it is a cache of Hugging Face: name a folder in its 'snapshots'"
    ):
        resolve(tmp_path)


def test_a_file_that_was_replaced_has_another_fingerprint(tiny_model_path, tmp_path):
    path = tmp_path / "m.safetensors"
    data = bytearray(tiny_model_path.read_bytes())
    path.write_bytes(data)
    before = resolve(path).fingerprint
    data[-1] ^= 1
    path.write_bytes(data)
    assert resolve(path).fingerprint == hashlib.sha256(data).hexdigest() != before


def test_a_file_that_was_replaced_and_dated_back_has_another_fingerprint(tiny_model_path, tmp_path):
    path = tmp_path / "m.safetensors"
    data = bytearray(tiny_model_path.read_bytes())
    path.write_bytes(data)
    before, stamp = resolve(path).fingerprint, path.stat()
    data[-1] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert resolve(path).fingerprint == hashlib.sha256(data).hexdigest() != before


def test_another_preparation_is_another_model(tiny_model_path, monkeypatch):
    before = resolve(tiny_model_path).fingerprint
    monkeypatch.setattr(fingerprint, "PREPARATION", fingerprint.PREPARATION + 1)
    after = resolve(tiny_model_path).fingerprint
    assert (len(after), after != before) == (64, True)


def test_what_the_network_is_given_is_what_the_preparation_stands_for():
    """Where this fails, texts or pictures reach the network in another form: PREPARATION has to grow with it."""
    texts = ["two dogs, on a beach!", "Ünïcödé 写真 👩 don't", "x" * 400, ""]
    square = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    tokens = hashlib.sha256(Tokenizer(77)(texts).numpy().astype("<i8").tobytes()).hexdigest()
    pixels = hashlib.sha256(np.round(np.asarray(normalize(square)) * 1e4).astype("<i4").tobytes()).hexdigest()
    assert (fingerprint.PREPARATION, tokens[:16], pixels[:16]) == (1, "141ac8a1d934c295", "763a4dbbaf773066")
