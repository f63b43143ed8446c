"""Each check tries the real thing; what cannot work is found, named, and told with what to do."""

import collections
import shutil
from pathlib import Path

import pytest

from app import doctor
from app.doctor import Check, examine
from app.samples import FORMATS, sample
from app.settings import Settings
from clip_model.int8 import extra
from indexer.errors import ModelError
from indexer.pictures import images
from tests.app.colours import World


@pytest.fixture
def settings(tmp_path):
    return Settings(library=tmp_path / "library", device="cpu")


@pytest.fixture
def checks(settings, monkeypatch):
    monkeypatch.setattr(
        doctor, "_model", lambda settings: (True, "left out")
    )  # tests/app/cli/test_commands.py loads one
    return {check.name: check for check in examine(settings)}


def test_every_format_that_is_promised_is_decoded_here(checks):
    assert {name for name in checks if name.startswith("format ")} == {f"format {name}" for name in (*FORMATS, "video")}
    assert [check for name, check in checks.items() if name.startswith("format ") and not check.ok] == []


def test_faiss_searches_and_says_where(checks):
    assert checks["faiss"].ok
    assert "searches on cpu" in checks["faiss"].detail


def test_a_library_that_is_not_there_is_no_fault_and_is_not_made(checks, settings):
    assert checks["library"].ok
    assert "picsift index FOLDER" in checks["library"].detail
    assert not settings.library.exists()


def test_it_says_where_settings_would_stand(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PICSIFT_CONFIG", str(tmp_path / "mine.toml"))
    found = next(check for check in examine(settings) if check.name == "settings")
    assert found.detail == f"none set; they would stand in {tmp_path / 'mine.toml'}"
    (tmp_path / "mine.toml").write_text("")
    found = next(check for check in examine(settings) if check.name == "settings")
    assert found.detail == str(tmp_path / "mine.toml")


def test_details_are_one_line_each(checks):
    assert [check for check in checks.values() if "\n" in check.detail or not check.detail] == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_sample_is_a_picture_of_its_own_format(name):
    decoded = images.decode(sample(name), min_side=1)
    assert (decoded.width, decoded.height) == (64, 64)
    assert decoded.format.upper().startswith(
        {"HEIC": "HEIF", "JPEG XL": "JXL", "JPEG 2000": "JPEG2000"}.get(name, name.upper())
    )


def test_a_format_that_does_not_decode_is_found(monkeypatch):
    monkeypatch.setattr(doctor, "sample", lambda name: b"not a picture")
    ok, detail = doctor._format("HEIC")
    assert not ok
    assert "cannot be read" in detail


def test_a_decoder_that_swaps_colours_is_found(monkeypatch):
    monkeypatch.setattr(doctor, "RED", (30, 30, 200))
    assert doctor._format("PNG")[0] is False


def test_the_sample_video_is_looked_at_too(monkeypatch):
    monkeypatch.setattr(doctor, "sample_video", lambda: b"not a video")
    check = doctor._tried("format video", doctor._video)
    assert not check.ok and "video cannot be decoded" in check.detail


def test_whatever_a_check_raises_is_its_finding():
    def fails():
        raise RuntimeError("CUDA error:\n  no kernel image")

    check = doctor._tried("gpu", fails, essential=True)
    assert check == Check("gpu", False, "CUDA error: no kernel image", True)


def test_a_model_that_is_missing_is_an_essential_fault(settings):
    check = doctor._tried(
        "model", lambda: doctor._model(settings.model_copy(update={"model": "nonesuch"})), essential=True
    )
    assert not check.ok
    assert "nonesuch" in check.detail


def test_little_disk_space_is_found(monkeypatch, tmp_path):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 5 * 10**8))
    ok, detail = doctor._disk_space(tmp_path / "not" / "there")
    assert not ok
    assert detail.startswith(f"0.50 GB free at {tmp_path}")


def test_few_inotify_watches_are_found_with_the_command_that_helps(monkeypatch, tmp_path):
    (tmp_path / "max_user_watches").write_text("8192\n")
    monkeypatch.setattr(doctor, "INOTIFY", tmp_path)
    ok, detail = doctor._file_events()
    assert not ok
    assert "8,192 folders" in detail
    assert "sudo sysctl fs.inotify.max_user_watches=" in detail


def test_a_system_without_inotify_is_in_order(monkeypatch):
    monkeypatch.setattr(doctor, "INOTIFY", Path("/no/such/folder"))
    assert doctor._file_events()[0]


def test_a_gpu_whose_driver_is_there_but_torch_cannot_use_is_told_loudly(monkeypatch, tmp_path):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor, "NVIDIA_DRIVER", tmp_path)
    ok, detail = doctor._gpu("auto")
    assert not ok
    assert "an NVIDIA driver is there, but torch" in detail


def test_a_gpu_that_was_asked_for_and_is_not_there_is_a_fault(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor, "NVIDIA_DRIVER", Path("/no/such/file"))
    assert doctor._gpu("auto")[0]
    assert not doctor._gpu("cuda")[0]


def test_a_library_in_health_is_counted(tmp_path, monkeypatch):
    world = World(tmp_path)
    world.write("red.png", "red")
    world.index()
    monkeypatch.setattr(doctor, "build_services", lambda settings: world.services())
    assert doctor._library(world.settings) == (True, f"1 photo, 1 vector, 0 failed at {world.settings.library}")


def test_a_library_whose_model_is_gone_is_a_fault(tmp_path, monkeypatch):
    world = World(tmp_path)
    world.write("red.png", "red")
    world.index()
    world.embedders.clear()
    monkeypatch.setattr(doctor, "build_services", lambda settings: world.services())
    ok, detail = doctor._library(world.settings)
    assert not ok
    assert "no model is called 'colours'" in detail


def test_a_library_that_is_none_is_a_fault(settings):
    settings.library.mkdir()
    (settings.library / "catalog.db").write_bytes(b"no database at all" * 100)
    check = doctor._tried("library", lambda: doctor._library(settings), essential=True)
    assert not check.ok
    assert str(settings.library) in check.detail


def test_errors_nobody_foresaw_are_not_hidden():
    def fails():
        raise ModelError("a sentence")

    assert doctor._tried("x", fails).detail == "a sentence"
    with pytest.raises(ZeroDivisionError):
        doctor._tried("x", lambda: 1 / 0)


def test_the_model_may_run_in_int8_where_the_extra_is_installed(tmp_path, tiny_model_path, monkeypatch):
    settings = Settings(library=tmp_path / "library", device="cpu", precision="fp32", model=str(tiny_model_path))
    ok, found = doctor._model(settings)
    assert ok
    assert found.endswith("int8 (docs/models.md says how fast): the setting precision chooses it")
    monkeypatch.setattr(doctor, "int8_problem", lambda: "it needs onnx")
    assert doctor._model(settings)[1].endswith(": it needs onnx")


def test_int8_that_is_set_for_a_model_which_is_not_fit_is_said(tmp_path, tiny_model_path, monkeypatch):
    monkeypatch.setattr(extra, "MOST_BYTES", 1000)
    settings = Settings(library=tmp_path / "library", device="cpu", precision="int8", model=str(tiny_model_path))
    ok, found = doctor._model(settings)
    assert ok
    assert "int8 on cpu" not in found
    assert found.endswith("int8 is set, and this model or device is not fit for it (docs/models.md says which are)")
