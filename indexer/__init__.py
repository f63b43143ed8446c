"""Keeps a library in step with folders of photos: catalog, thumbnails and search index.

Imports clip_model, in one module, and never app. The names below are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.embedder import Embedder
    from indexer.errors import PicsiftError
    from indexer.library import Library, open_library
    from indexer.pipeline import Progress, SyncReport, sync

__all__ = ["Embedder", "Library", "PicsiftError", "Progress", "SyncReport", "open_library", "sync"]

_HOME = {
    "Embedder": "embedder",
    "Library": "library",
    "PicsiftError": "errors",
    "Progress": "pipeline",
    "SyncReport": "pipeline",
    "open_library": "library",
    "sync": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
