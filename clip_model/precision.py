"""Where to compute and in which number format: tried on this machine rather than read off a list of devices.

Decides and says why in the log; it moves no model.
"""

from __future__ import annotations

import logging
import time
import warnings
from functools import lru_cache
from pathlib import Path

import torch

from clip_model.config import VisionConfig
from clip_model.header import read_header
from clip_model.int8.extra import lacking, unfit

logger = logging.getLogger(__name__)

AUTO = "auto"
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
INT8 = "int8"
"""Of an image tower on a CPU, see `clip_model/int8/`; all else, and a model that is not fit, runs as by AUTO."""

_CLEARLY_FASTER = 1.3  # bf16 must beat fp32 by this factor on a CPU to be worth its rounding
_PROBE_SIDE = 384  # of the square matrices multiplied: milliseconds, yet large enough for the fast units
_PROBE_RUNS = 7
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def choose_device(wanted: str = AUTO) -> torch.device:
    """Return the device to compute on: "auto" is a GPU if one really works here, else the CPU.

    Raises:
        ValueError: if the device is unknown, or named outright and does not work; the message says why.
    """
    if wanted != AUTO:
        device = _parse(wanted)
        problem = device_problem(device)
        if problem:
            raise ValueError(f"device {wanted!r} does not work on this machine: {problem}")
        return device
    for kind in ("cuda", "mps"):
        if not _present(kind):
            continue
        problem = device_problem(torch.device(kind))
        if problem is None:
            return torch.device(kind)
        logger.warning("a GPU is present (%s) but is not used: %s; computing on the CPU", kind, problem)
    return torch.device("cpu")


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """Return the number format for a device: "auto" is the fastest that is exact enough for unit vectors.

    Of "int8", of a model that `fitting` says is fit, it is the format of all but the image tower.

    Raises:
        ValueError: if the precision is unknown, or named outright and does not work on that device.
    """
    if wanted == INT8:
        problem = lacking()
        if problem:
            raise ValueError(f"precision {INT8!r} does not work: {problem}")
    elif wanted != AUTO:
        if wanted not in PRECISIONS:
            raise ValueError(f"unknown precision {wanted!r}; known are: {AUTO}, {', '.join(PRECISIONS)}, {INT8}")
        problem = device_problem(device, PRECISIONS[wanted])
        if problem:
            raise ValueError(f"precision {wanted!r} does not work on {device}: {problem}")
        return PRECISIONS[wanted]
    if device.type == "cpu":
        return torch.bfloat16 if bfloat16_speedup() > _CLEARLY_FASTER else torch.float32
    if device.type == "cuda":
        native_bf16 = torch.cuda.get_device_capability(device) >= (8, 0)  # older ones emulate it slowly
        candidates = (torch.bfloat16, torch.float16) if native_bf16 else (torch.float16,)
        return next((dtype for dtype in candidates if device_problem(device, dtype) is None), torch.float32)
    return torch.float32


def fitting(wanted: str, device: torch.device, vision: VisionConfig, parameters: int, name: str | None = None) -> str:
    """The precision that is asked for, or AUTO where that is "int8" and the model or the device is not fit for it.

    Args:
        wanted: a precision.
        device: to compute on.
        vision: what the image tower looks like.
        parameters: of the image tower.
        name: of the model, for a warning, once; None where nothing is to be said.
    """
    problem = unfit(vision, parameters, device.type) if wanted == INT8 else None
    if problem is not None and name is not None:
        _say_once(f"precision {INT8!r} is set, and {name} runs as by {AUTO!r}: {problem}")
    return wanted if problem is None else AUTO


def planned(device: str, precision: str, weights: Path) -> tuple[str, str]:
    """Device and precision, by their names, that a model would run on where these are wanted.

    Args:
        device: as `choose_device` takes it.
        precision: as `choose_precision` takes it.
        weights: the model's file, whose header is read where the precision depends on the model.

    Raises:
        ValueError: if one of them is unknown or does not work here, or the file is no model's.
        OSError: if the file cannot be read.
    """
    chosen = choose_device(device)
    if precision == INT8:
        header = read_header(weights)
        precision = fitting(precision, chosen, header.config.vision, header.image_parameters)
    dtype = choose_precision(precision, chosen)
    return str(chosen), INT8 if precision == INT8 else precision_name(dtype)


@lru_cache(maxsize=64)
def _say_once(sentence: str) -> None:
    logger.warning("%s", sentence)


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Compute in a number format within it; in float32 it changes nothing, which torch's own warns about."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def precision_name(dtype: torch.dtype) -> str:
    """Return the short name of a number format, such as "bf16".

    Raises:
        ValueError: if it is none of those that models run in.
    """
    for name, known in PRECISIONS.items():
        if known == dtype:
            return name
    raise ValueError(f"models run in {', '.join(PRECISIONS)}, got {dtype}")


def device_problem(device: torch.device, dtype: torch.dtype = torch.float32) -> str | None:
    """Multiply two small matrices there; return what went wrong, or None if the product is right."""
    left = torch.arange(64.0).reshape(8, 8) % 5
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a driver complains about shows in the result
            product = (left.to(device, dtype) @ left.to(device, dtype)).float().cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return None if torch.equal(product, left @ left) else "it multiplies two small matrices wrongly"


@lru_cache(maxsize=1)
def bfloat16_speedup() -> float:
    """Time a matrix product in float32 and in bfloat16 on this CPU; return how many times faster the second is."""
    single = torch.ones(_PROBE_SIDE, _PROBE_SIDE)
    half = single.bfloat16()
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(_PROBE_RUNS):  # in turns, so that another program's load meets both
        for matrix in (single, half):
            begun = time.perf_counter()
            _ = matrix @ matrix
            best[matrix.dtype] = min(best[matrix.dtype], time.perf_counter() - begun)
    return best[torch.float32] / best[torch.bfloat16]


def _parse(wanted: str) -> torch.device:
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"unknown device {wanted!r}; known are: auto, cpu, cuda, cuda:N, mps")
    return device


def _present(kind: str) -> bool:
    """Whether this machine has a GPU of that kind, even one that torch cannot use."""
    if kind == "mps":
        return torch.backends.mps.is_available()
    return torch.cuda.device_count() > 0 or _NVIDIA_DRIVER.exists()
