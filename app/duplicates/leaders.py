"""Pictures that are nearly the same, told by hash and vector together: each follows the best one that it is like. Pure.

Rows come best first, and are compared with leaders alone, those that follow nobody (the leader algorithm, Hartigan
1975, Clustering Algorithms, chapter 3): no chain of small differences leads from one picture to quite another, and
what is held at a time is a block of products, never n x n.

What the bounds are from: 32 photographs (of scikit-image, Gradio, scikit-learn and a public-domain collection; 512 to
2,400 pixels), each against altered copies of itself, and 199,396 pairs of 632 different photos, many of one kind of
thing. The smallest cosine by the built-in model, and the most bits that differ:

    JPEG 70        0.95   2     half the size   0.93   2     brighter by 25 %  0.90   8     1 % cut off    0.94  10
    JPEG 30        0.81   4     a quarter       0.62   8     darker by 25 %    0.92   2     2.5 % cut off  0.94  20
    WebP 50        0.81   2     800 px, JPEG 60 0.93   4     contrast + 30 %   0.95   8     5 % cut off    0.86  30
    grey           0.62   2     mirrored        0.89  34     saturation + 50 % 0.97   8     left 5 % off   0.93  24

Of the different pairs none differs in 12 bits or fewer, 3 do in 14, 18 in 16, 683 in 20; one has a cosine of 0.90 or
more, none of 0.94. A small copy has too few pixels for the network, and a grey one lost its colours, where the hash
hardly moves: hence two pairs of bounds. Of copies with 2.5 % cut off at each side 9 % are missed, with 5 % most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from app.duplicates.perceptual_hash import BITS, signs

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR = ((10, 0.90), (4, 0.60))  # at most so many bits that differ, and at least such a cosine: either is enough
VECTOR_ALONE = 0.98  # least cosine where one of the two has no hash
LEAST_DETAIL = 20.0  # of photographs 96 and more: below, the picture is blank and its hash noise

_BLOCK = 1024  # rows that are compared at a time
_COLUMNS = 16_384  # with so many others: 64 MB of products
_PAIRS = 8_192  # pairs whose vectors are compared at a time


def near_leaders(
    bits: NDArray[np.uint64],
    hashed: NDArray[np.bool_],
    vectors: NDArray[np.float16],
    may_be: Callable[[int, int], bool] = lambda row, leader: True,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.int64]:
    """The row that each row follows, itself where it leads.

    Args:
        bits: (n,) hashes, of the best picture first.
        hashed: (n,) whether there is a hash; the others are compared by their vectors alone.
        vectors: (n, d) of unit length.
        may_be: whether two rows, the second the better, may be one picture for all else that is known.
        on_progress: told how many of how many rows are done.

    Returns:
        (n,) rows; a leader's own is its number.
    """
    leader = np.arange(len(bits), dtype=np.int64)
    rows_of_signs = signs(bits)
    for start in range(0, len(bits), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(bits)))
        before = np.flatnonzero(leader[:start] == np.arange(start))
        pairs = _alike(block, np.concatenate([before, block]), hashed, rows_of_signs, vectors)
        for row, found in groupby(pairs, key=lambda pair: pair[0]):
            fits = (to for _, to in found if leader[to] == to and may_be(row, to))
            leader[row] = next(fits, row)
        on_progress(int(block[-1]) + 1, len(bits))
    return leader


def _alike(
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    hashed: NDArray[np.bool_],
    rows_of_signs: NDArray[np.float32],
    vectors: NDArray[np.float16],
) -> list[tuple[int, int]]:
    """Pairs of a row and one before it that is like it, row by row, of each the most alike first."""
    bare_rows, bare_others = rows[~hashed[rows]], others[~hashed[others]]
    rows, seen = rows[hashed[rows]], others[hashed[others]]
    loosest = max(most for most, _ in NEAR)
    found: list[tuple[int, float, int]] = []
    for row, other, product in _above(rows_of_signs, rows, seen, BITS - 2 * loosest):
        differing = (BITS - product) / 2
        cosine = np.einsum("nd,nd->n", vectors[row].astype(np.float32), vectors[other].astype(np.float32))
        good = np.logical_or.reduce([(differing <= most) & (cosine >= least) for most, least in NEAR])
        found += zip(row[good].tolist(), (-cosine[good]).tolist(), other[good].tolist(), strict=True)
    for bare, among in ((bare_rows, others), (rows, bare_others)):
        for row, other, cosine in _above(vectors, bare, among, VECTOR_ALONE):
            found += zip(row.tolist(), (-cosine).tolist(), other.tolist(), strict=True)
    return [(row, other) for row, _, other in sorted(found)]


def _above(
    matrix: NDArray[np.floating], rows: NDArray[np.int64], others: NDArray[np.int64], least: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Pairs of a row and one before it whose product is at least so much, with it, some at a time."""
    if not len(rows):
        return
    left = matrix[rows].astype(np.float32)
    for start in range(0, len(others), _COLUMNS):
        some = others[start : start + _COLUMNS]
        products = left @ matrix[some].astype(np.float32).T  # [rows, some]
        at, to = np.nonzero(products >= least)
        earlier = some[to] < rows[at]
        at, to = at[earlier], to[earlier]
        for first in range(0, len(at), _PAIRS):
            part = slice(first, first + _PAIRS)
            yield rows[at[part]], some[to[part]], products[at[part], to[part]]
