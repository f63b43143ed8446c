import logging

import pytest
import torch

from clip_model import precision
from clip_model.checkpoint import save_model
from clip_model.int8 import extra
from clip_model.precision import (
    bfloat16_speedup,
    choose_device,
    choose_precision,
    device_problem,
    fitting,
    planned,
    precision_name,
)
from tests.clip_model.tiny_models import CONFIGS, random_clip

CPU = torch.device("cpu")


def broken(device, dtype=torch.float32):
    return "no kernel image is available" if device.type == "cuda" else None


def test_auto_is_a_device_that_multiplies_rightly():
    assert device_problem(choose_device()) is None


def test_a_gpu_that_fails_a_real_product_is_not_used_and_said_aloud(monkeypatch, caplog):
    monkeypatch.setattr(precision, "_present", lambda kind: kind == "cuda")
    monkeypatch.setattr(precision, "device_problem", broken)
    assert choose_device("auto") == CPU
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "no kernel image is available" in caplog.text


def test_a_gpu_that_works_is_used(monkeypatch, caplog):
    monkeypatch.setattr(precision, "_present", lambda kind: kind == "cuda")
    monkeypatch.setattr(precision, "device_problem", lambda device, dtype=torch.float32: None)
    assert choose_device("auto") == torch.device("cuda")
    assert not caplog.records


def test_no_gpu_is_nothing_to_warn_about(monkeypatch, caplog):
    monkeypatch.setattr(precision, "_present", lambda kind: False)
    assert choose_device("auto") == CPU
    assert not caplog.records


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU that torch can use")
def test_a_device_that_was_asked_for_and_does_not_work_is_refused():
    with pytest.raises(ValueError, match=r"device 'cuda' does not work on this machine: .*(CUDA|NVIDIA)"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "", "xla:0", "cpu,cuda"])
def test_an_unknown_device_lists_the_known_ones(name):
    with pytest.raises(ValueError, match=f"unknown device '{name}'; known are: auto, cpu, cuda"):
        choose_device(name)


def test_a_wrong_product_is_a_problem(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", lambda product: product + 1)
    assert device_problem(CPU) == "it multiplies two small matrices wrongly"


@pytest.mark.parametrize(("speedup", "expected"), [(3.9, torch.bfloat16), (1.1, torch.float32), (0.2, torch.float32)])
def test_bfloat16_must_be_clearly_faster_on_a_cpu(monkeypatch, speedup, expected):
    monkeypatch.setattr(precision, "bfloat16_speedup", lambda: speedup)
    assert choose_precision("auto", CPU) == expected


def test_the_speedup_is_measured(monkeypatch):
    """With products that take a known time on a clock of the test's own."""
    clock = [0.0]
    monkeypatch.setattr(precision.time, "perf_counter", lambda: clock[0])
    product = torch.Tensor.__matmul__

    def timed(left, right):
        clock[0] += {torch.float32: 3.0, torch.bfloat16: 2.0}[left.dtype]
        return product(left, right)

    monkeypatch.setattr(torch.Tensor, "__matmul__", timed)
    assert bfloat16_speedup.__wrapped__() == pytest.approx(1.5)  # not what an earlier test had it remember


@pytest.mark.parametrize(
    ("capability", "fails", "expected"),
    [
        ((9, 0), (), torch.bfloat16),
        ((9, 0), (torch.bfloat16,), torch.float16),
        ((7, 5), (), torch.float16),
        ((7, 5), (torch.float16,), torch.float32),
    ],
)
def test_a_gpu_gets_the_fastest_format_that_works(monkeypatch, capability, fails, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(precision, "device_problem", lambda _, dtype: "broken" if dtype in fails else None)
    assert choose_precision("auto", torch.device("cuda")) == expected


def test_a_named_precision_is_taken_or_refused(monkeypatch):
    assert choose_precision("fp32", CPU) == torch.float32
    assert choose_precision("bf16", CPU) == torch.bfloat16
    with pytest.raises(ValueError, match="unknown precision 'int4'; known are: auto, fp32, bf16, fp16, int8"):
        choose_precision("int4", CPU)
    monkeypatch.setattr(precision, "device_problem", lambda *_: "not implemented")
    with pytest.raises(ValueError, match="precision 'fp16' does not work on cpu: not implemented"):
        choose_precision("fp16", CPU)


def test_names_and_formats_match():
    assert [precision_name(dtype) for dtype in precision.PRECISIONS.values()] == list(precision.PRECISIONS)
    with pytest.raises(ValueError, match=r"got torch\.int8"):
        precision_name(torch.int8)


def test_int8_is_of_the_image_tower_and_all_else_is_as_by_auto(monkeypatch):
    for speedup, expected in ((3.9, torch.bfloat16), (1.1, torch.float32)):
        monkeypatch.setattr(precision, "bfloat16_speedup", lambda speedup=speedup: speedup)
        assert choose_precision("int8", CPU) == expected


@pytest.mark.parametrize(("name", "fit"), [("vit", True), ("resnet", False)])
def test_a_plan_says_what_the_model_will_run_in(tmp_path, monkeypatch, name, fit):
    monkeypatch.setattr(precision, "bfloat16_speedup", lambda: 1.1)
    path = tmp_path / "mine.safetensors"
    save_model(random_clip(CONFIGS[name]), path)
    assert planned("cpu", "int8", path) == ("cpu", "int8" if fit else "fp32")
    assert planned("cpu", "fp32", path) == ("cpu", "fp32")
    monkeypatch.setattr(extra, "MOST_BYTES", 1000)
    assert planned("cpu", "int8", path) == ("cpu", "fp32")


def test_a_device_or_model_that_int8_is_not_for_has_it_as_by_auto_and_a_warning_once(caplog):
    vision = CONFIGS["vit"].vision
    assert fitting("int8", CPU, vision, 1000, "the ViT") == "int8"
    assert fitting("int8", torch.device("cuda"), vision, 1000) == "auto"
    assert caplog.messages == []
    for _ in range(2):
        assert fitting("int8", torch.device("cuda"), vision, 1000, "the ViT of this test") == "auto"
        assert fitting("bf16", torch.device("cuda"), vision, 1000, "the ViT of this test") == "bf16"
    assert caplog.messages == [
        "precision 'int8' is set, and the ViT of this test runs as by 'auto': it is for CPUs, and the device is cuda"
    ]


def test_int8_says_what_it_needs(monkeypatch):
    find = extra.importlib.util.find_spec
    monkeypatch.setattr(extra.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    with pytest.raises(ValueError, match=r"it needs onnxruntime, of the extra 'int8': pip install 'picsift\[int8\]'"):
        choose_precision("int8", CPU)
