import json
import logging
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors import SafetensorError, safe_open

from clip_model.checkpoint import load_model, save_model
from clip_model.checkpoints import conversion, converted
from clip_model.hub.shelf import Shelf
from clip_model.registry import resolve
from tests.clip_model.checkpoints.openai_files import plain, save_archive
from tests.clip_model.checkpoints.reference_models import model_of

pytestmark = pytest.mark.usefixtures("small_published")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return save_archive(model_of(), tmp_path_factory.mktemp("archive") / "tiny.pt")


@pytest.fixture
def source(tmp_path, archive):
    return shutil.copyfile(archive, tmp_path / "tiny.pt")


@pytest.fixture
def models(tmp_path):
    return tmp_path / "cache" / "models"


def test_it_is_converted_once_and_said(source, models, caplog):
    infos = [resolve(source, models=models) for _ in range(2)]
    assert infos[0] == infos[1]
    assert (infos[0].name, infos[0].source, infos[0].dim) == (str(source), "converted", 24)
    assert infos[0].path.parent == models
    said = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [f"converting {source} (OpenAI, 1" in record.getMessage() for record in said] == [True]


def test_equal_files_give_equal_bytes_wherever_they_lie(source, tmp_path, models):
    elsewhere = tmp_path / "elsewhere.pt"
    elsewhere.write_bytes(source.read_bytes())
    first, second = resolve(source, models=models), resolve(elsewhere, models=models)
    assert (first.path, first.fingerprint) == (second.path, second.fingerprint)
    again = resolve(source, models=tmp_path / "other")
    assert again.path.read_bytes() == first.path.read_bytes()
    with safe_open(first.path, framework="pt") as file:
        assert list(file.metadata()) == ["config"]


def test_the_file_is_the_one_that_the_converted_model_would_be_saved_as(tmp_path, models):
    """So one model has one fingerprint, whoever saved it."""
    state = {name: value.float() if value.is_floating_point() else value for name, value in plain(model_of()).items()}
    torch.save(state, tmp_path / "float.pt")
    info = resolve(tmp_path / "float.pt", models=models)
    save_model(load_model(info.path), tmp_path / "saved.safetensors")
    assert (tmp_path / "saved.safetensors").read_bytes() == info.path.read_bytes()


def test_a_converted_file_that_was_damaged_or_taken_away_is_made_anew(source, models):
    info = resolve(source, models=models)
    whole = info.path.read_bytes()
    info.path.write_bytes(whole[:-1] + b"!")
    assert resolve(source, models=models) == info
    assert info.path.read_bytes() == whole
    info.path.unlink()
    assert resolve(source, models=models) == info
    note = info.path.with_suffix(".json")
    for wrong in (b"", b"[]", b"{}", json.dumps({"sha256": "0"}).encode()):
        note.write_bytes(wrong)
        assert resolve(source, models=models) == info


def test_a_source_that_changed_is_another_model(source, models):
    before = resolve(source, models=models)
    save_archive(model_of(embed_dim=16), source)
    after = resolve(source, models=models)
    assert (before.dim, after.dim) == (24, 16)
    assert before.path.is_file()


def test_a_source_that_is_written_to_meanwhile_is_refused(source, models, monkeypatch):
    convert = conversion.convert

    def writing(source, target):
        convert(source, target)
        with source.weights[0].open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(conversion, "convert", writing)
    with pytest.raises(ValueError, match="was written to while it was read"):
        resolve(source, models=models)
    assert not list(models.glob("*.json"))


def test_a_kill_while_it_is_written_leaves_nothing_that_counts(source, models, monkeypatch):
    def killed(_tensors, path, _metadata):
        path.write_bytes(b"a part")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(conversion, "save_file", killed)
        resolve(source, models=models)
    assert [file.name for file in models.iterdir()] == ["converting.lock"]
    assert resolve(source, models=models).dim == 24


def test_the_default_folder_is_in_the_users_cache(source, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name, appauthor: str(tmp_path / name))
    assert converted.default_folder() == tmp_path / "picsift" / "models"
    assert resolve(source).path.parent == tmp_path / "picsift" / "models"


def test_a_model_that_was_converted_before_is_found_without_torch(source, models):
    resolve(source, models=models)
    code = (
        "import sys, pathlib, clip_model.registry as r; r.resolve(sys.argv[1], models=pathlib.Path(sys.argv[2])); "
        "print([m for m in ('torch', 'numpy', 'PIL', 'safetensors') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(source), str(models)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_folder_that_cannot_be_one_is_named_with_its_setting(source, tmp_path):
    (tmp_path / "taken").write_bytes(b"a file")
    with pytest.raises(OSError, match="converted_models"):
        resolve(source, models=tmp_path / "taken")


def test_a_full_disk_is_told_as_one_and_leaves_nothing(source, models, monkeypatch):
    def full(*_):
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(conversion, "save_file", full)
    with pytest.raises(OSError, match=r"No space left.*converted_models"):
        resolve(source, models=models)
    assert [file.name for file in models.iterdir()] == ["converting.lock"]


def test_two_that_convert_at_once_convert_once(source, models, monkeypatch):
    """The second waits for the first, and finds its file."""
    entered, go, made = threading.Event(), threading.Event(), []

    def slow(source, target):
        made.append(threading.get_ident())
        entered.set()
        assert go.wait(30)
        convert(source, target)

    convert = conversion.convert
    monkeypatch.setattr(conversion, "convert", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(resolve, source, models=models)
        assert entered.wait(30)
        second = pool.submit(resolve, source, models=models)
        go.set()
        assert first.result() == second.result()
    assert len(made) == 1
    assert len(list(models.iterdir())) == 3  # the weights, what is said of them, and the lock


def test_what_a_killed_conversion_left_goes_with_the_next(source, models):
    target = resolve(source, models=models).path
    target.unlink()
    left = [models / f".{name}.abc.partial" for name in (target.name, f"{'f' * 64}.safetensors", "notes.txt")]
    for file in left:
        file.write_bytes(b"cut")
    resolve(source, models=models)
    assert [file.exists() for file in left] == [False, False, True]  # also of another model; not what others leave


def test_a_removed_model_leaves_nothing(source, models):
    info = resolve(source, models=models)
    other = models / "other.json"
    other.write_text("[]")
    shelf = Shelf(models)
    assert shelf.converted_bytes(info.fingerprint) > info.path.stat().st_size
    assert shelf.remove(str(source), info.fingerprint) > 0
    assert {file.name for file in models.iterdir()} == {"other.json", "converting.lock"}
