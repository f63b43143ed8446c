"""What 8-bit towers need: packages beside picsift's own, and a model that is fit. Imports neither those nor torch."""

from __future__ import annotations

import importlib.util

from clip_model.config import VisionConfig

MOST_BYTES = 1_900_000_000  # of a tower's float32 weights: an ONNX file holds 2 GB
_PACKAGES = ("onnx", "onnxruntime")  # of the extra


def lacking() -> str | None:
    """Say what has to be installed for 8-bit towers; None where nothing lacks."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    return f"it needs {' and '.join(missing)}, of the extra 'int8': pip install 'picsift[int8]'"


def unfit(vision: VisionConfig, parameters: int, device: str) -> str | None:
    """Say why a model does not run with an 8-bit image tower, whatever is installed; None where it may be tried.

    Args:
        vision: what its image tower looks like.
        parameters: of its image tower.
        device: the kind of the device that it runs on, such as "cpu".
    """
    if device != "cpu":
        return f"it is for CPUs, and the device is {device}"
    if vision.patch_size is None:
        return "it is for image towers that are transformers, and this model's is made of convolutions"
    if 4 * parameters > MOST_BYTES:
        return (
            f"it is for image towers of at most {MOST_BYTES / 1e9:.1f} GB in float32, which an ONNX file holds, and "
            f"this one has {4 * parameters / 1e9:.1f} GB"
        )
    return None
