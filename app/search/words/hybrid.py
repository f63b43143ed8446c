"""Words and pictures in one order, by reciprocal rank fusion: what both find stands before what one does. Pure.

Each of the two puts photos in an order of its own: words those first that say all of it themselves (title, description,
keywords, tags, or a file of just that name), then those that owe it to names, in both the nearest pictures first;
pictures by their cosine. A photo's sum of 1 / (K + rank) over the two decides, and of equal sums the photo found by
words goes first, since a word that stands there is no guess.

    Source: Cormack, Clarke, Buettcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods", with its K.

A folder's name says less of a photo than its own words: what is found by names alone and does not look like it comes
after all that looks like it, and before the rest. Photos that tie have the mean of their ranks, so that a page's order
stays by path among them. Ranks do not hang on the cut: it leaves photos out and moves none.

However many photos words find, only as many are compared as a page needs, and DEPTH of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.search.ranking import Nearest, one_each
from indexer.catalog.frame_ids import photo_of

K = 60
DEPTH = 512  # photos deep counts a picture's rank for one that words found; further down it adds next to nothing

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Scored = tuple[Ids, NDArray[np.float32]]
Within = Callable[[Ids], Nearest]
"""Photos (n,), sorted -> the nearest of them and their frames; of those that are not in the index none."""


@dataclass(frozen=True, eq=False)
class Worded:
    """The photos (n,) that words found, sorted, and which of them (n,) bool say it themselves, or are so called."""

    ids: Ids
    own: NDArray[np.bool_]


@dataclass(frozen=True)
class Bounds:
    """Cosines: from which a photo looks like what is looked for, and those that names alone found are listed."""

    likely: float = -2.0
    named: float = -2.0


class Fused:
    """The fused order; called as a `Nearest`, whose scores say the order and nothing else."""

    def __init__(
        self, worded: Worded, within: Within, everything: Nearest, cut: Nearest, bounds: Bounds | None = None
    ) -> None:
        """Look at nothing yet.

        Args:
            worded: the photos that words found.
            within: the nearest of some photos.
            everything: the nearest of all that the filters allow.
            cut: those of them that are matches.
            bounds: None where relevance is unknown: then names count as own words do.
        """
        self._bounds = bounds or Bounds()
        self._worded, self._within = worded, within
        self._own, self._named = (self._some(worded.ids[which]) for which in (worded.own, ~worded.own))
        self._everything, self._cut = one_each(everything), one_each(cut)
        self._known: list[Scored] = []  # of the last call

    def __call__(self, k: int) -> Scored:
        """The first k, with scores that fall from 0 by 1 wherever the order does."""
        top, scores = _closed(self._everything, DEPTH)
        words, cosines, sums, is_own = self._words(max(k, len(top)))
        _, here, there = np.intersect1d(photo_of(words), photo_of(top), assume_unique=True, return_indices=True)
        sums[here] += 1 / (K + _ranks(-scores)[there])
        ids, scores, alone = self._pictures(k)
        self._known = [(ids, scores), (words, cosines)]
        ranks = _ranks(-scores)[alone]
        ids, scores = ids[alone], scores[alone]

        likely = np.float32(self._bounds.likely)
        tiers = np.concatenate([np.where(is_own | (cosines >= likely), 0, 1), np.where(scores >= likely, 0, 2)])
        all_ids, all_sums = np.concatenate([words, ids]), np.concatenate([sums, 1 / (K + ranks)])
        by_words = np.arange(len(all_ids)) < len(words)
        order = np.lexsort((~by_words, -all_sums, tiers))
        places = np.cumsum(_begins(tiers[order], -all_sums[order], ~by_words[order])) - 1
        return all_ids[order][:k], -places[:k].astype(np.float32)

    def listed(self, pictures: Ids) -> Ids:
        """All photos (n,) that are found, sorted, when these (m,) are those that are matches by their pictures."""
        words = self._worded.ids if self._bounds.named <= -1 else self._worded.ids[self._worded.own]
        return np.union1d(words, pictures)

    def said(self, photo_id: int) -> bool:
        """Whether words found a photo."""
        at = int(np.searchsorted(self._worded.ids, photo_id))
        return at < len(self._worded.ids) and int(self._worded.ids[at]) == photo_id

    def best_of(self, photo_ids: Sequence[int]) -> Scored:
        """The best frame and cosine of each of some photos that words found, in any order."""
        ids = np.array(sorted(photo_ids), dtype=np.int64)
        return one_each(self._within(ids))(len(ids))

    def cosines_of(self, index_ids: Sequence[int]) -> list[float]:
        """The cosines of some of those that the last call gave."""
        known: dict[int, float] = {}
        for ids, cosines in self._known:
            at = np.flatnonzero(np.isin(ids, index_ids))
            known |= dict(zip(ids[at].tolist(), cosines[at].tolist(), strict=True))
        return [known[index_id] for index_id in index_ids]

    def _some(self, ids: Ids) -> Nearest:
        """The nearest of some photos; none is looked for among none."""
        nothing: Scored = np.empty(0, np.int64), np.empty(0, np.float32)
        return one_each(self._within(ids)) if len(ids) else lambda _: nothing

    def _words(self, k: int) -> tuple[Ids, NDArray[np.float32], Floats, NDArray[np.bool_]]:
        """The k nearest of each kind that words found: ids, cosines, what their ranks give, whether they say it."""
        own, own_cosines = _closed(self._own, k)
        named, cosines = _closed(self._named, k)
        kept = int(np.count_nonzero(cosines >= np.float32(self._bounds.named)))
        behind = np.count_nonzero(self._worded.own) + _ranks(-cosines)
        ranks = np.concatenate([_ranks(-own_cosines), behind[:kept]])
        is_own = np.arange(len(ranks)) < len(own)
        return (
            np.concatenate([own, named[:kept]]),
            np.concatenate([own_cosines, cosines[:kept]]),
            1 / (K + ranks),
            is_own,
        )

    def _pictures(self, k: int) -> tuple[Ids, NDArray[np.float32], NDArray[np.bool_]]:
        """Matches by their pictures, best first, k of which words did not find, or all; and which of them those are."""
        wanted = max(k, DEPTH)
        while True:
            ids, scores = _closed(self._cut, wanted)
            alone = ~np.isin(photo_of(ids), self._worded.ids)
            if len(ids) < wanted or np.count_nonzero(alone) >= k:
                return ids, scores, alone
            wanted *= 4


def _closed(nearest: Nearest, k: int) -> Scored:
    """At least the k best, or all, and nothing that ties with what is left out."""
    wanted = k + 1
    while True:
        ids, scores = nearest(wanted)
        if len(ids) < wanted:
            return ids, scores
        end = int(np.searchsorted(-scores, -scores[-1], side="left"))
        if end >= k:
            return ids[:end], scores[:end]
        wanted *= 4


def _begins(*keys: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where, in an order by these keys, one differs from the one before."""
    first = np.ones(len(keys[0]), dtype=np.bool_)
    first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return first


def _ranks(key: NDArray[np.float32]) -> Floats:
    """Ranks from 1 on in an order by this key; those that tie have the mean of theirs."""
    ties = np.cumsum(_begins(key)) - 1
    sizes = np.bincount(ties)
    ranks: Floats = (np.cumsum(sizes) - (sizes - 1) / 2)[ties]
    return ranks
