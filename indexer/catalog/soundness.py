"""Which stored vectors can be used: whole, finite and of unit length. Others are left out wherever vectors are read.

A disk or a memory that flips a bit, and a file that was put together from two, leave such rows. Pure; n vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

STORED = np.dtype("<f2")
UNIT_TOLERANCE = 5e-3  # rounding to float16 alone leaves less than 1e-3


def sound(stored: Sequence[object], dim: int) -> tuple[NDArray[np.bool_], NDArray[np.float16]]:
    """Tell the usable among stored vectors.

    Returns:
        Which they are (n,), and they alone, (m, dim) float16.
    """
    whole = np.array([isinstance(one, bytes) and len(one) == dim * STORED.itemsize for one in stored], dtype=np.bool_)
    packed = b"".join(one for one, good in zip(stored, whole, strict=True) if good and isinstance(one, bytes))
    vectors = np.empty((0, dim), np.float16)
    if packed:
        vectors = np.frombuffer(packed, dtype=STORED).reshape(-1, dim).astype(np.float16, copy=False)
    unit = has_unit_length(vectors)
    whole[np.flatnonzero(whole)[~unit]] = False
    return whole, vectors if unit.all() else vectors[unit]


def has_unit_length(vectors: NDArray[np.float16]) -> NDArray[np.bool_]:
    """Which of these (n, dim) are finite and of unit length, (n,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    close: NDArray[np.bool_] = np.abs(lengths - 1) <= UNIT_TOLERANCE  # NaN is not
    return close


def sound_floats(stored: object, dim: int | None = None) -> NDArray[np.float32] | None:
    """A stored float32 vector, None where it is cut, not finite, zero, or of another dimension."""
    if not isinstance(stored, bytes) or not stored or len(stored) % 4 or (dim is not None and len(stored) != 4 * dim):
        return None
    vector: NDArray[Any] = np.frombuffer(stored, dtype="<f4")
    return vector if np.isfinite(vector).all() and vector.any() else None
