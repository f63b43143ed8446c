"""open_clip and transformers, imported where torchvision's compiled operators are missing or belong to another torch.

torchvision's Python registers shapes for four compiled operators when it is imported; declaring their schemas first
lets that import pass. Nothing here ever calls them.
"""

import functools
import importlib.util
import warnings
from pathlib import Path
from types import ModuleType

import pytest
import torch

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width,"
    " int sampling_ratio, bool aligned) -> Tensor",
    "roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width)"
    " -> (Tensor, Tensor)",
)


@functools.cache
def _declare_operators() -> None:
    """Let torchvision be imported, by whichever of the two packages comes first in this process."""
    if not _compiled_operators_load():
        _declared.append(torch.library.Library("torchvision", "DEF"))
        for schema in _OPERATORS:
            _declared[0].define(schema)


def _compiled_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        pytest.skip("parity with open_clip needs torchvision's Python code")
    compiled = sorted(Path(spec.origin).parent.glob("_C*.so"))
    try:
        for library in compiled:
            torch.ops.load_library(library)
    except OSError:
        return False
    return bool(compiled)


@functools.cache
def open_clip() -> ModuleType:
    """The package, imported when a comparison asks for it; without it that comparison is skipped, and no other test."""
    _declare_operators()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("open_clip", reason="parity needs open_clip (extra 'bench')")


@functools.cache
def transformers() -> ModuleType:
    """The package, which imports torchvision where that is installed; likewise."""
    _declare_operators()
    return pytest.importorskip("transformers", reason="parity needs transformers (extra 'dev')")


_declared: list[torch.library.Library] = []
