"""What the tests of the catalog write into it."""

import hashlib
import os
from datetime import datetime

import numpy as np

from indexer.catalog.records import NewPhoto
from indexer.metadata.photo_metadata import PhotoMetadata

DIM = 8


def metadata(taken_at: datetime | None = None, **other: object) -> PhotoMetadata:
    values: dict[str, object] = {
        **{"taken_at": taken_at, "taken_offset_min": 120, "taken_source": "original", "orientation": 6},
        **{"latitude": 47.5, "longitude": -3.25, "altitude": 12.0},
        **{"camera_make": "Make", "camera_model": "Model", "lens": "50 mm"},
    }
    return PhotoMetadata(**{**values, **other})


def new(path: str, content: str = "", *, size: int = 10, mtime_ns: int = 20, **other: object) -> NewPhoto:
    return NewPhoto(
        path,
        size,
        mtime_ns,
        content or hashlib.sha256(os.fsencode(path)).hexdigest(),
        40,
        30,
        "JPEG",
        metadata(**other),
    )


def vectors(count: int, seed: int = 0, dim: int = DIM) -> np.ndarray:
    """(count, dim) float16, unit length."""
    raw = np.random.default_rng(seed).normal(size=(count, dim))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float16)
