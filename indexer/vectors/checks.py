"""What may be put into the search index or asked of it, and how it is refused. It holds nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from indexer.vectors.rows import Half, integers
from indexer.vectors.scanning import Floats, Ids

# Rounding to half moves a row's length by at most 2**-11 of it; the rest is room for what was stored before: a little
# more than the catalog allows, so that sums in another order refuse nothing that it holds.
_LENGTH_TOLERANCE = 6e-3


def checked_rows(ids: ArrayLike, vectors: ArrayLike, dim: int) -> tuple[Ids, Half]:
    """Return ids (n,), each once, and their vectors (n, d) of unit length as they are stored; ValueError otherwise."""
    checked = integers(ids)
    rows = _floats(vectors, "vectors")
    if rows.ndim != 2 or rows.shape != (len(checked), dim):
        if rows.size or len(checked):
            raise ValueError(f"vectors must have the shape ({len(checked)}, {dim}), and have {rows.shape}")
        rows = rows.reshape(0, dim)
    if len(checked) and checked.min() < 0:
        raise ValueError(f"an id must not be negative, and one is {checked.min()}")
    if len(np.unique(checked)) != len(checked):
        raise ValueError("an id stands twice among the ids to add")
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    wrong = ~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)  # a NaN is wrong too
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"vectors must have unit length, and that of id {checked[at]} has {lengths[at]}")
    return checked, rows.astype(np.float16)


def checked_queries(queries: ArrayLike, dim: int) -> Floats:
    """Return queries (q, d), one of which may come as (d,); ValueError where they are no finite numbers."""
    checked = np.atleast_2d(_floats(queries, "queries"))
    if checked.shape == (1, 0):
        checked = checked.reshape(0, dim)
    if checked.ndim != 2 or checked.shape[1] != dim:
        raise ValueError(f"queries must have the shape (q, {dim}), and have {checked.shape}")
    if not np.isfinite(checked).all():
        raise ValueError("queries must be finite, and hold NaN or infinity")
    return np.ascontiguousarray(checked)


def _floats(numbers: ArrayLike, name: str) -> Floats:
    try:
        return np.asarray(numbers, np.float32)
    except (TypeError, ValueError) as error:  # numpy's word for ragged rows: inhomogeneous shape
        raise ValueError(f"{name} must be rows of numbers of one length: {error}") from error
