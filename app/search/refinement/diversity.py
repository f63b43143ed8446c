"""An order in which what is alike does not stand together: maximal marginal relevance over the first of it. Pure.

    Source: Carbonell, Goldstein 1998, "The use of MMR, diversity-based reranking for reordering documents and producing
    summaries": the next one is that with the most of LAMBDA * fit - (1 - LAMBDA) * (likeness to the nearest before it).

Fit is where a photo's score lies between the least and the best of the POOL, likeness how far the cosine of two photos
is above the mean of all pairs there; so both go from 0 to 1, whatever the model. The pool does not hang on the page
that is asked for, so that pages follow each other as they should; what comes after it stays in the order that it had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.search.ranking import Nearest, one_each

POOL = 512  # photos that are put in another order
LAMBDA = 0.5

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


class Diverse:
    """The order, spread; called as a `Nearest`, whose scores say the order and nothing else."""

    def __init__(self, nearest: Nearest, vectors: Callable[[Ids], NDArray[np.float16]]) -> None:
        """Look at nothing yet; `vectors` gives those (n, d), of unit length, of ids of the index (n,)."""
        self._nearest = one_each(nearest)
        self._vectors = vectors
        self._scores: dict[int, float] = {}

    def __call__(self, k: int) -> tuple[Ids, Floats]:
        """The first k, with scores that fall from 0 by 1."""
        ids, scores = self._nearest(max(k, POOL))
        self._scores = dict(zip(ids.tolist(), scores.tolist(), strict=True))
        pool = ids[:POOL]
        spread = marginal(scores[:POOL], self._vectors(pool).astype(np.float32))
        ids = np.concatenate([pool[spread], ids[POOL:]])[:k]
        return ids, -np.arange(len(ids), dtype=np.float32)

    def scores_of(self, index_ids: Sequence[int]) -> list[float]:
        """The scores, in the order that was spread, of some of those that the last call gave."""
        return [self._scores[index_id] for index_id in index_ids]


def marginal(scores: Floats, vectors: Floats) -> NDArray[np.int64]:
    """The order (n,) by maximal marginal relevance.

    Args:
        scores: (n,), falling.
        vectors: (n, d) of unit length.
    """
    count = len(scores)
    if count < 2:
        return np.arange(count)
    span = float(scores[0] - scores[-1])
    fit = (scores - scores[-1]) / np.float32(span) if span > 0 else np.zeros(count, np.float32)
    alike = _likeness(vectors @ vectors.T)
    nearest, left = np.zeros(count, np.float32), np.ones(count, np.bool_)
    order = np.empty(count, np.int64)
    for place in range(count):
        worth = np.where(left, LAMBDA * fit - (1 - LAMBDA) * nearest, -np.inf)
        order[place] = chosen = int(np.argmax(worth))  # the first of those that are worth as much
        left[chosen] = False
        nearest = np.maximum(nearest, alike[chosen])
    return order


def _likeness(cosines: Floats) -> Floats:
    """Cosines (n, n) from their mean over the pairs, 0, to 1."""
    count = len(cosines)
    usual = float((cosines.sum() - np.trace(cosines)) / (count * (count - 1)))
    likeness: Floats = np.clip((cosines - usual) / max(1 - usual, 1e-6), 0, 1).astype(np.float32)
    return likeness
