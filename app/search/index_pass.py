"""One pass over the index for the queries that wait together, where the same photos may be their hits.

It ranks nothing and knows no filter: which ids are allowed it is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.search.batching import Batcher
from indexer.catalog.columns.photo_set import PhotoSet
from indexer.catalog.frame_ids import PHOTO_BITS, photo_of
from indexer.vectors.index import VectorIndex
from indexer.vectors.rows import IdMask

Found = tuple[NDArray[np.int64], NDArray[np.float32]]

ANY = -2.0  # a cosine that all reach
FEW = 5  # looks that are quicker one after the other, each of whose threads goes on meanwhile


@dataclass(frozen=True, eq=False)
class Look:
    """What one query wants of the index.

    Attributes:
        index: that is searched.
        vector: (d,) unit length.
        k: how many of the nearest.
        within: the photos to choose from, with their frames; None for all.
        exact: look at all of them, since every one counts; else a large library's index finds 0.99 of the nearest.
        least: the cosine that they have to reach.
    """

    index: VectorIndex
    vector: NDArray[np.float32]
    k: int
    within: PhotoSet | None = None
    exact: bool = False
    least: float = ANY

    @property
    def is_exact(self) -> bool:
        """Whether every one is looked at, asked for or not."""
        return self.exact or self.within is not None or self.index.lists is None

    @property
    def allowed(self) -> IdMask | None:
        """The ids to choose from; None for all."""
        return None if self.within is None else IdMask(self.within.marks, PHOTO_BITS)

    def shares_with(self, other: "Look") -> bool:
        """Whether one pass can answer both: over the same ids, for about as many of them."""
        if (self.index, self.exact) != (other.index, other.exact) or self.k.bit_length() != other.k.bit_length():
            return False
        if self.within is None or other.within is None:
            return self.within is other.within
        return np.array_equal(self.within.marks, other.within.marks)


def nearest_together(looks: Sequence[Look]) -> list[Found]:
    """The k nearest of each, best first, with cosines in [-1, 1]: one search for all that share.

    Rounded to half a row may be longer than 1 by 2**-11 of it, and its products with it.
    """
    found: list[Found | None] = [None] * len(looks)
    for place, look in enumerate(looks):
        if found[place] is not None:
            continue
        same = [at for at in range(place, len(looks)) if found[at] is None and look.shares_with(looks[at])]
        vectors = np.stack([looks[at].vector for at in same])
        most = max(looks[at].k for at in same)
        least = [looks[at].least for at in same]
        bound = None if max(least) == ANY else least
        nearest = look.index.search(vectors, most, look.allowed, exact=look.exact, least=bound)
        for at, (ids, scores) in zip(same, nearest, strict=True):
            found[at] = ids[: looks[at].k], np.clip(scores[: looks[at].k], -1, 1)
    return [one for one in found if one is not None]


def nearest_of(look: Look, k: int) -> Found:
    """The k nearest of one look, in a pass of its own."""
    return nearest_together([replace(look, k=k)])[0]


def index_passes() -> Batcher[Look, Found]:
    """Answers looks from many threads, those that wait together in one pass where they are more than a few."""
    return Batcher(nearest_together, few=FEW)


def nearest_but(passes: Batcher[Look, Found], look: Look, leave_out: NDArray[np.int64], own: int) -> Found:
    """The nearest without the photos `leave_out` (m,), which have `own` vectors."""
    ids, scores = passes(replace(look, k=look.k + own))
    kept = np.flatnonzero(~np.isin(photo_of(ids), leave_out))[: look.k] if own else slice(look.k)
    return ids[kept], scores[kept]


def count_held(index: VectorIndex, ids: NDArray[np.int64]) -> int:
    """How many of these ids are in the index."""

    def is_held(number: int) -> bool:
        try:
            index.vector(number)
        except KeyError:
            return False
        return True

    return sum(map(is_held, ids.tolist()))
