"""Words and pictures in one order, by reciprocal rank fusion: what both find stands before what one does. Pure.

Each of the two puts photos in an order of its own: words those first that say all of it themselves (title, description,
keywords, tags), then those that need the names of file and folders for it, in both the nearest pictures first; pictures
by their cosine. A photo's sum of 1 / (K + rank) over the two decides, and of equal sums the photo found by words goes
first, since a word that stands there is no guess.

    Source: Cormack, Clarke, Buettcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods", with its K.

Photos that tie have one rank, so that a page's order stays by path among them. The ranks of pictures do not hang on
the cut: it leaves photos out and moves none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.search.ranking import Nearest, one_each
from indexer.catalog.frame_ids import photo_of

K = 60
DEPTH = 512  # photos deep counts a picture's rank for one that words found; further down it adds next to nothing

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Worded:
    """The photos (n,) that words found, sorted, and which of them (n,) bool say it themselves."""

    ids: Ids
    own: NDArray[np.bool_]


class Fused:
    """The fused order; called as a `Nearest`, whose scores say the order and nothing else.

    Attributes:
        ids: (n,) index ids of the photos that words found, best first, of a video its best frame.
        cosines: (n,) theirs.
    """

    def __init__(self, worded: Worded, among: Nearest, everything: Nearest, cut: Nearest) -> None:
        """Rank the photos that words found.

        Args:
            worded: those photos.
            among: the nearest of them and their frames; of those that are not in the index it gives none.
            everything: the nearest of all that the filters allow.
            cut: those of them that are matches.
        """
        ids, cosines = one_each(among)(len(worded.ids))
        own = worded.own[np.searchsorted(worded.ids, photo_of(ids))]
        best = np.lexsort((-cosines, ~own))
        self.ids, self.cosines = ids[best], cosines[best]
        sums = 1 / (K + _ranks(~own[best], -self.cosines))
        top, scores = one_each(everything)(DEPTH)
        _, here, there = np.intersect1d(photo_of(self.ids), photo_of(top), assume_unique=True, return_indices=True)
        sums[here] += 1 / (K + _ranks(-scores)[there])
        self._sums: Floats = sums
        self._cut = one_each(cut)
        self._last = (self.ids, self.cosines)  # of the pictures that were looked at

    def __call__(self, k: int) -> tuple[Ids, NDArray[np.float32]]:
        """The first k, with scores that fall from 0 by 1 wherever the order does."""
        ids, scores, alone = self._matches(k)
        self._last, ranks = (ids, scores), _ranks(-scores)
        ids, sums = ids[alone], 1 / (K + ranks[alone])
        all_ids, all_sums = np.concatenate([self.ids, ids]), np.concatenate([self._sums, sums])
        by_words = np.arange(len(all_ids)) < len(self.ids)
        order = np.lexsort((~by_words, -all_sums))
        places = np.cumsum(_begins(-all_sums[order], ~by_words[order])) - 1
        return all_ids[order][:k], -places[:k].astype(np.float32)

    def cosines_of(self, index_ids: Sequence[int]) -> list[float]:
        """The cosines of some of those that the last call gave."""
        known: dict[int, float] = {}
        for ids, cosines in (self._last, (self.ids, self.cosines)):
            at = np.flatnonzero(np.isin(ids, index_ids))
            known |= dict(zip(ids[at].tolist(), cosines[at].tolist(), strict=True))
        return [known[index_id] for index_id in index_ids]

    def _matches(self, k: int) -> tuple[Ids, NDArray[np.float32], NDArray[np.bool_]]:
        """Matches by their pictures, best first, k of which words did not find, or all; and which of them those are."""
        wanted = max(k, DEPTH, 1)
        while True:
            ids, scores = self._cut(wanted)
            alone = ~np.isin(photo_of(ids), photo_of(self.ids))
            if len(ids) < wanted or np.count_nonzero(alone) >= k:
                return ids, scores, alone
            wanted *= 4


def _begins(*keys: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where, in an order by these keys, one differs from the one before."""
    first = np.ones(len(keys[0]), dtype=np.bool_)
    first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return first


def _ranks(*keys: NDArray[np.generic]) -> Floats:
    """Ranks from 1 on in an order by these keys; those that tie have the first one's."""
    begins = _begins(*keys)
    places = np.arange(len(begins))
    ranks: Floats = np.maximum.accumulate(np.where(begins, places, 0)) + 1.0
    return ranks
