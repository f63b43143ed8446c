"""From cosines to relevance: how much better a photo fits a query than unrelated photos and queries do. Pure.

A cosine says little by itself: each model has levels of its own for pairs that have nothing to do with each other and
for pairs that match, and so has each query. Both are measured without a label, on a library's own photos and on the
plain names of a background vocabulary:

    unrelated  the mean cosine of all photos with all names
    matching   the mean over the photos of each one's best name
    fit        (cosine - unrelated) / (matching - unrelated): 0 for what has nothing in common, 1 for a photo that fits
               as well as photos usually fit the best of several hundred names
    standing   (cosine - the query's mean over the library) / its deviation over the library

    relevance = 1 / (1 + exp(-(FIT * fit + STANDING * standing + SHIFT)))

The three constants were fitted once, with two models, on labelled photos (`benchmarks/relevance.py`): 0.5 is where
calling photos a match gives the best F1. They hold for other models since fit and standing have no unit. Between photos
a name's part is played by the other photos: `matching` is then the mean cosine of a photo with the nearest other one.

A query of several terms has the fit sum(w * fit of each) / sum(w of those that are looked for), of which a cosine with
the weighted sum of the terms' vectors tells as much as is needed.

Legend: n photos, b names, d dimension of the embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FIT, STANDING, SHIFT = 6.5, 0.6, -7.3
PRIOR_PHOTOS = 100  # as many photos as the level of all names counts for in a query's own mean and deviation
SAME = 0.98  # cosine from which another photo is taken for the same picture
LEAST_SPAN = 1e-3  # between unrelated and matching; below it a model tells nothing apart


@dataclass(frozen=True)
class Level:
    """Where cosines of one kind of pair lie: mean and deviation of unrelated ones, mean of matching ones."""

    unrelated: float
    deviation: float
    matching: float


@dataclass(frozen=True)
class Sought:
    """A query as the index is asked for it.

    Attributes:
        vector: (d,) unit length: the weighted sum of its parts, divided by `length`.
        length: of that sum.
        parts: the weight of each part, and whether it is a picture.
    """

    vector: Floats
    length: float = 1.0
    parts: tuple[tuple[float, bool], ...] = ((1.0, False),)


@dataclass(frozen=True)
class Calibration:
    """Relevance of one query's cosines: a logistic function of slope * cosine + offset."""

    slope: float
    offset: float

    def relevance(self, cosine: float) -> float:
        """The relevance, 0 to 1."""
        odds = min(60.0, max(-60.0, self.slope * cosine + self.offset))
        return 1 / (1 + exp(-odds))

    def least_cosine(self, relevance: float) -> float:
        """The cosine from which photos are at least so relevant; -1 at most for all, above 1 where none can be."""
        if relevance <= 0:
            return -1.0
        if relevance >= 1:
            return 2.0
        return (log(relevance / (1 - relevance)) - self.offset) / self.slope


@dataclass(frozen=True)
class Background:
    """What a model's cosines over a library are compared with.

    Attributes:
        photos: of the library when it was measured.
        mean: (d,) of the embeddings.
        moments: (d, d) mean of the embeddings' outer products.
        words: the level of photos with names; None where that is not known.
        pictures: the level of photos with photos.
    """

    photos: int
    mean: Floats
    moments: Floats
    words: Level | None
    pictures: Level

    def calibration(self, sought: Sought) -> Calibration | None:
        """How the query's cosines are read; None where its parts, or the model, tell nothing apart."""
        own = [(weight, self.pictures if picture else self.words) for weight, picture in sought.parts]
        levels = [(weight, level) for weight, level in own if level is not None]
        if len(levels) < len(own):
            return None
        nothing = sum(weight * level.unrelated for weight, level in levels)
        wanted = [(weight, level.matching - level.unrelated) for weight, level in levels if weight > 0]
        span = sum(weight * apart for weight, apart in wanted)
        if span <= LEAST_SPAN * sum(weight for weight, _ in wanted):
            return None
        mean, deviation = self._lie(sought.vector, nothing / sought.length, max(level.deviation for _, level in levels))
        slope = FIT * sought.length / span + STANDING / deviation
        return Calibration(slope, SHIFT - FIT * nothing / span - STANDING * mean / deviation)

    def _lie(self, vector: Floats, mean: float, deviation: float) -> tuple[float, float]:
        """Mean and deviation of a vector's cosines over the library, drawn to those given where photos are few."""
        own = float(vector @ self.mean)
        variance = max(float(vector @ self.moments @ vector) - own**2, 1e-8)
        share = self.photos / (self.photos + PRIOR_PHOTOS)
        return share * own + (1 - share) * mean, sqrt(share * variance + (1 - share) * deviation**2)


def measure(embeddings: Floats, names: Floats | None, photos: int) -> Background:
    """The background of a library.

    Args:
        embeddings: (n, d) unit length, a sample of its photos.
        names: (b, d) unit length, the background vocabulary; None leaves words without a level.
        photos: how many the library has.

    Raises:
        ValueError: there is no photo.
    """
    if not len(embeddings):
        raise ValueError("expected at least one photo")
    words = None
    if names is not None:
        cosines = embeddings @ names.T
        words = Level(float(cosines.mean()), max(float(cosines.std()), 1e-4), float(cosines.max(axis=1).mean()))
    moments = embeddings.T @ embeddings / np.float32(len(embeddings))
    return Background(photos, embeddings.mean(axis=0), moments, words, _between(embeddings))


def _between(embeddings: Floats) -> Level:
    """The level of photos with other photos; of one alone, that of a photo with itself."""
    cosines = embeddings @ embeddings.T
    others = ~np.eye(len(embeddings), dtype=bool)
    if not others.any():
        return Level(0.0, 0.1, 1.0)
    nearest = np.where(others & (cosines < SAME), cosines, -1).max(axis=1)
    known = nearest > -1  # a photo that has nothing but copies tells nothing
    matching = float(nearest[known].mean()) if known.any() else 1.0
    return Level(float(cosines[others].mean()), max(float(cosines[others].std()), 1e-4), matching)
