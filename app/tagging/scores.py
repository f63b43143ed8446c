"""One model's opinion of tags on photos: relevance, what decisions taught, groups, thresholds. Pure arithmetic.

`tagging_service.py` brings the vectors and writes down what comes out. Legend: n photos, t tags, d dimension of the
embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.search import relevance
from app.search.relevance import Level, Statistics
from app.tagging import learning
from app.tagging.learning import Fit
from app.tagging.vocabulary.vocabulary import fold
from indexer.catalog.tag_records import TagPath

Floats = NDArray[np.float32]
Learned = tuple[Fit, Floats | None]

SAME = 0.95  # cosine of two tags that mean the same


@dataclass(frozen=True)
class Scorer:
    """Scores embeddings against a fixed set of tags.

    Attributes:
        paths: of the tags.
        vectors: (t, d) unit length.
        background: (b, d) of the vocabulary that tags are compared with.
        lie: how the library's embeddings lie.
        learned: what decisions taught, by the tag's place; a classifier's direction (d,) with it.
        groups: places of tags that exclude each other.
        threshold: the least confidence of a suggestion, 0 to 1.
        background_paths: of the background; None where that is the tags themselves.
        background_groups: places of those of the background that exclude each other, where that is another one.
    """

    paths: Sequence[TagPath]
    vectors: Floats
    background: Floats
    lie: Statistics
    learned: Mapping[int, Learned]
    groups: Sequence[Sequence[int]]
    threshold: float = relevance.DEFAULT_THRESHOLD
    background_paths: Sequence[TagPath] | None = None
    background_groups: Sequence[Sequence[int]] = ()

    def log_odds(self, embeddings: Floats) -> tuple[Floats, Floats]:
        """Cosines and zero-shot log odds, each (n, t), of embeddings (n, d)."""
        cosines = embeddings @ self.vectors.T
        own, masses = self._masses(embeddings, cosines)
        all_of_it = masses.sum(axis=1, keepdims=True)
        rest, whole = np.repeat(all_of_it, len(self.paths), axis=1), own.copy()
        for parent, below in self._families:
            whole[:, parent] += own[:, below].sum(axis=1)
        for place, (alike, under) in enumerate(self._alike):
            if len(alike):  # what means the same is no rival
                rest[:, place] -= masses[:, alike].sum(axis=1)
            if len(under):
                whole[:, place] += masses[:, under].sum(axis=1)
        return cosines, relevance.log_odds(whole, rest, all_of_it)

    def zero_shot(self, embeddings: Floats) -> tuple[Floats, Floats]:
        """The same, but tags that exclude each other are judged by their group: what decisions correct."""
        return self._judged(embeddings)[:2]

    def _judged(self, embeddings: Floats) -> tuple[Floats, Floats, list[tuple[int, Floats]]]:
        """Cosines and log odds as `zero_shot` gives them, and the standings that are lent."""
        cosines, odds = self.log_odds(embeddings)
        for group in self._contested:
            odds[:, group] = relevance.group_log_odds(self._standing(cosines, group))
        lent = list(self._lent(embeddings, cosines))
        for place, standing in lent:
            odds[:, place] = relevance.group_log_odds(standing)[:, 0]
        return cosines, odds, lent

    def confidences(self, embeddings: Floats) -> tuple[Floats, Floats]:
        """Cosines and confidences (n, t): calibrated relevance, and shares within groups."""
        cosines, odds, lent = self._judged(embeddings)
        moved = {}
        for place, (fit, direction) in self.learned.items():
            taught = fit.scaled(odds[:, place])
            if direction is not None:
                taught += (embeddings - self.lie.mean) @ direction
            moved[place] = (taught - odds[:, place]) / relevance.GROUP_SHARPNESS  # then its share has these odds
            odds[:, place] = taught
        confidence = relevance.probability(odds)
        for group in self._contested:
            standing = self._standing(cosines, group)
            for column, place in enumerate(group):
                standing[:, column] += moved.get(place, np.float32(0))
            confidence[:, group] = np.where(standing > 0, relevance.shares(standing), 0)
        for place, standing in lent:
            confidence[standing[:, 0] + moved.get(place, np.float32(0)) <= 0, place] = 0
        return np.clip(cosines, -1, 1, out=cosines), confidence  # rows of halves may be a little too long

    def chosen(self, confidence: Floats) -> NDArray[np.bool_]:
        """Which of the confidences (n, t) are suggestions; what a suggested child implies is not suggested itself."""
        least = np.full(len(self.paths), self.threshold, dtype=np.float32)
        for group in (*self.groups, list(self._borrowed)):
            least[list(group)] = max(relevance.GROUP_THRESHOLD, self.threshold)
        kept = confidence >= least
        for parent, below in self._families:
            kept[:, parent] &= ~kept[:, below].any(axis=1)
        return kept

    def _masses(self, embeddings: Floats, cosines: Floats) -> tuple[Floats, Floats]:
        """Masses of the tags (n, t), and of the background (n, b)."""
        means, spread = self.lie.heights_of(self.vectors, self._level)
        heights = (cosines - means) / spread
        if self.background is self.vectors:
            own = relevance.masses(heights, heights.max(axis=1, keepdims=True))
            return own, own
        means, spread = self.lie.heights_of(self.background, self._level)
        others = (embeddings @ self.background.T - means) / spread
        highest = others.max(axis=1, keepdims=True)
        return relevance.masses(heights, highest), relevance.masses(others, highest)

    @cached_property
    def _contested(self) -> list[list[int]]:
        """The groups that have more than one tag."""
        return [list(group) for group in self.groups if len(group) > 1]

    def _standing(self, cosines: Floats, group: list[int]) -> Floats:
        """The standings (n, g) of a group, of all cosines (n, t)."""
        means, deviations = self._lie
        return relevance.standings(cosines[:, group], means[group], deviations[group])

    def _lent(self, embeddings: Floats, cosines: Floats) -> Iterator[tuple[int, Floats]]:
        """Tags that a group of the background would have for one of its own: place, and standings (n, g), its first."""
        for place, others in self._borrowed.items():
            vectors = np.concatenate([self.vectors[[place]], self.background[others]])
            known = np.concatenate([cosines[:, [place]], embeddings @ vectors[1:].T], axis=1)
            yield place, relevance.standings(known, *self.lie.of_tags(vectors, self._level))

    @cached_property
    def _borrowed(self) -> dict[int, list[int]]:
        """For each tag that is in no group, and means one of a group of the background, the others of that."""
        contested, same = {place for group in self._contested for place in group}, self._meant[0]
        found: dict[int, list[int]] = {}
        for group in self.background_groups if self.background_paths is not None else ():
            for place in np.flatnonzero(same[:, list(group)].sum(axis=1) == 1).tolist():
                if place not in contested and len(group) > 1:
                    found.setdefault(place, [other for other in group if not same[place, other]])
        return found

    @cached_property
    def _lie(self) -> tuple[Floats, Floats]:
        return self.lie.of_tags(self.vectors, self._level)

    @cached_property
    def _level(self) -> Level:
        return self.lie.level(self.background)

    @cached_property
    def _alike(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each tag the places of those of the background that mean it, or what lies under it.

        With them those that lie under it in the background alone: they count for it as its own children do.
        """
        same, near = (meant.copy() for meant in self._meant)
        for parent, below in self._families:
            near[parent] |= near[below].any(axis=0)
            same[parent] |= same[below].any(axis=0)
        return [(np.flatnonzero(row), np.flatnonzero(row & ~told)) for row, told in zip(near, same, strict=True)]

    @cached_property
    def _meant(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which of the background mean a tag, by name or vector, and which do or lie under one that does: (t, b)."""
        same = self.vectors @ self.background.T >= SAME
        near = same.copy()
        if self.background_paths is not None:
            under = _under(self.background_paths)
            for place, path in enumerate(self.paths):
                levels = [self.background_paths[found] for found in np.flatnonzero(same[place]).tolist()]
                for level in {*map(_folded, levels), *_named(path, under)}:
                    near[place, under[level]] = True
                    same[place, [n for n in under[level] if len(self.background_paths[n]) == len(level)]] = True
        return same, near

    @cached_property
    def _families(self) -> list[tuple[int, list[int]]]:
        """Each tag that has tags under it, with the places of those."""
        place = {path: number for number, path in enumerate(self.paths)}
        found: dict[int, list[int]] = {}
        for number, path in enumerate(self.paths):
            for length in range(1, len(path)):
                if path[:length] in place:
                    found.setdefault(place[path[:length]], []).append(number)
        return list(found.items())


def numbers() -> dict[str, list[float]]:
    """Every constant that a confidence hangs on, by its name: with another one, suggestions are others."""
    said = [*vars(relevance).items(), *vars(learning).items(), ("SAME", SAME)]
    return {name: np.ravel(value).tolist() for name, value in said if name.lstrip("_").isupper()}


def _under(paths: Sequence[TagPath]) -> dict[TagPath, list[int]]:
    """For each level of a hierarchy, without case and accents, the places of the tags at it and below it."""
    found: dict[TagPath, list[int]] = {}
    for number, path in enumerate(paths):
        levels = _folded(path)
        for length in range(1, len(levels) + 1):
            found.setdefault(levels[:length], []).append(number)
    return found


def _named(path: TagPath, levels: Mapping[TagPath, object]) -> list[TagPath]:
    """The levels that a path names: itself, or else all that are called as it is."""
    wanted = _folded(path)
    return [wanted] if wanted in levels else [level for level in levels if level[-1] == wanted[-1]]


def _folded(path: TagPath) -> TagPath:
    return tuple(map(fold, path))
