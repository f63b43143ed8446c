"""Pictures that look like something, made from numbers, and photos as they are compared."""

import numpy as np
from PIL import Image

from app.duplicates.candidates import Candidate
from app.duplicates.perceptual_hash import Look


def scene(seed, size=(320, 240)):
    """Soft blobs of colour, as a photograph out of focus; another seed, another picture."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def photo(id, content=None, *, bits=None, **known):
    """A candidate whose name is its id; with `bits` it has a look."""
    look = None if bits is None else Look(bits, 100.0, 1.0)
    known = {"path": f"/p/{id}.jpg", "pixels": 100, "size": 100, "format": "JPEG", "reachable": True, **known}
    return Candidate(id=id, content=content or f"content {id}", look=known.pop("look", look), **known)


def at_angles(*degrees):
    """Unit vectors (n, 2) in float16."""
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float16)
