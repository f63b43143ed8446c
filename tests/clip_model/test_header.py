import json
import os
import shutil
import subprocess
import sys

import pytest
import torch

from clip_model import header
from clip_model.header import read_header


def write(path, entries, data=b""):
    header = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


def test_a_models_header_tells_its_shape(tiny_model_path):
    header = read_header(tiny_model_path)
    assert header.config.embed_dim == 16
    assert header.metadata == {"title": "tiny random CLIP"}
    assert header.tensors["token_embedding.weight"].shape == (49408, 16)
    assert header.tensors["logit_scale"].shape == ()
    assert header.parameters > 49408 * 16


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 100, 2000, -1])
def test_a_file_that_was_cut_short_is_refused(tiny_model_path, tmp_path, length):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(tiny_model_path.read_bytes()[:length])
    with pytest.raises(ValueError, match=f"{path} .*cut short"):
        read_header(path)


def test_a_header_that_changes_while_it_is_read_is_not_kept(tiny_model_path, tmp_path, monkeypatch):
    path = tmp_path / "changing.safetensors"
    path.write_bytes(tiny_model_path.read_bytes())
    check = header._check_tensors
    monkeypatch.setattr(header, "_check_tensors", lambda *args: (check(*args), os.utime(path, (1, 1))))
    with pytest.raises(ValueError, match=f"{path} was written to while it was read"):
        read_header(path)
    monkeypatch.undo()
    assert read_header(path) == read_header(tiny_model_path)


def test_a_file_with_more_than_its_header_announces_is_refused(tiny_model_path, tmp_path):
    path = tmp_path / "more.safetensors"
    path.write_bytes(tiny_model_path.read_bytes() + b"!")
    with pytest.raises(ValueError, match="its header announces"):
        read_header(path)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (b"not json at all", "not a JSON object"),
        (b"\xff\xfe\xff\xfe", "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        ([1, 2], "not a JSON object"),
        ({"x": 3}, "no shape or place for the tensor 'x'"),
        ({"x": {"shape": [1]}}, "no shape or place for the tensor 'x'"),
        ({"x": {"shape": "a", "data_offsets": [0, 0]}}, "no shape or place for the tensor 'x'"),
        ({}, "holds no model configuration"),
        ({"__metadata__": {"format": "pt"}}, "holds no model configuration"),
        ({"__metadata__": None}, "holds no model configuration"),
        ({"__metadata__": {"config": "{"}}, "configuration that cannot be used"),
        ({"__metadata__": {"config": "[]"}}, "configuration that cannot be used"),
        ({"__metadata__": {"config": '{"embed_dim": 3}'}}, "missing fields"),
        (
            {"__metadata__": {"config": '{"embed_dim": 3, "vision": 1, "text": 2, "quick_gelu": true}'}},
            "configuration that cannot be used",
        ),
    ],
)
def test_a_strange_header_is_refused_with_a_sentence(tmp_path, entries, message):
    with pytest.raises(ValueError, match=message):
        read_header(write(tmp_path / "strange.safetensors", entries))


def test_a_header_of_exabytes_is_not_read(tmp_path):
    path = tmp_path / "long.safetensors"
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(ValueError, match="not a safetensors file"):
        read_header(path)


def test_reading_it_imports_no_torch(tiny_model_path):
    code = (
        "import sys, clip_model.registry as r; r.resolve(sys.argv[1]); "
        "print([m for m in ('torch', 'numpy', 'PIL', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, tiny_model_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("legacy", [False, True])
def test_a_sound_checkpoint_of_another_kind_is_called_by_its_name_and_never_run(tmp_path, legacy):
    path = tmp_path / "model.pt"
    torch.save({"weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ValueError, match=r"model\.pt is a checkpoint of PyTorch.*--model") as refused:
        read_header(path)
    assert "cut short" not in str(refused.value)


def test_it_is_read_once_while_the_file_stays_as_it_is(tiny_model_path, tmp_path):
    path = tmp_path / "model.safetensors"
    shutil.copyfile(tiny_model_path, path)
    first, before = read_header(path), path.stat()
    assert read_header(path) is first
    data = path.read_bytes()
    at = data.index(b'"config"')
    path.write_bytes(data[:at] + b'"CONFIG"' + data[at + 8 :])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ValueError, match="no model configuration"):
        read_header(path)
