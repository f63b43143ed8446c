"""The packages that 8-bit towers need beside picsift's own. Imports none of them, nor torch."""

from __future__ import annotations

import importlib.util

_PACKAGES = ("onnx", "onnxruntime")  # of the extra


def lacking() -> str | None:
    """Say what has to be installed for 8-bit towers; None where nothing lacks."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    return f"it needs {' and '.join(missing)}, of the extra 'int8': pip install 'picsift[int8]'"
