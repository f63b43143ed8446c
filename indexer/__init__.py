"""Keeps a library in step with folders of photos: catalog, thumbnails and search index.

Imports clip_model, in one module, and never app. The names below are loaded when they are first used.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from indexer.embedder import Embedder
    from indexer.errors import PicsiftError
    from indexer.library import Library, open_library
    from indexer.pipeline import Progress, SyncReport, sync

__all__ = ["Embedder", "Library", "PicsiftError", "Progress", "SyncReport", "open_library", "sync"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "embedder": ["Embedder"],
        "errors": ["PicsiftError"],
        "library": ["Library", "open_library"],
        "pipeline": ["Progress", "SyncReport", "sync"],
    },
)
