"""Calibrated relevance: from cosines to the probability that a tag is right. Pure; it asks no model and no catalog.

A cosine of a photo and a tag says little by itself: a model has a level and a spread of its own, some tags are near
every photo, and some photos near every tag. So a score is put in units of the spread of all of the library's cosines
with a background vocabulary (its *height*), and half of what the tag's own mean is above that of all is taken away. A
softmax over the heights of the background then says how much of a photo goes to the tag and to what lies under it, and
how much to all the rest; a logistic function of the odds of the two, fitted once on labelled photos, is the chance.

With all of a tag's mean taken away, and a spread for each tag, what most photos of a library show counts for too
little, and what none shows for too much: `benchmarks/RESULTS.md` has what was tried. Tags that exclude each other
divide a library between them: there the *standing* decides, in units of each tag's own mean and spread, as far as the
library has photos enough, and different ones, to say what those are.
Legend: n photos, t tags, b background tags, g tags of a group, d dimension of the embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PRIOR_PHOTOS = 100  # as many photos as the mean over all tags counts for in a tag's own mean
GROUP_PRIOR_PHOTOS = 20  # the same, in a standing
WITHIN = 0.75  # of the variance of all cosines is what photos differ by, in a library of many things; the rest, tags
MIXED = 0.5  # that part in a library whose photos differ enough to speak for themselves
OWN_MEAN = np.float32(0.5)  # how much counts of what a tag's mean is above that of all
SHARPNESS = np.float32(3.0)  # of the softmax over heights
SLOPE, SHIFT = np.float32(0.812), np.float32(0.481)
"""Of the logistic function: fitted on 933 labelled photos and 40 tags that the two models used had not seen."""
GROUP_SHARPNESS = np.float32(2.0)  # of the softmax over standings
METHOD = 3  # counts formulas; with one more, or another number here, a library is tagged anew
TINY = np.float32(1e-12)
LEAST_REST = np.float32(1e-6)  # of a softmax, that goes to the rest: what is less is an error of rounding
HIGHEST = np.float32(20.0)  # above the highest of the background; beyond it the softmax would overflow
GROUP_THRESHOLD = 0.6
DEFAULT_THRESHOLD = 0.3


@dataclass(frozen=True)
class Level:
    """Where all cosines of a library with a background lie.

    Attributes:
        mean: of all.
        spread: their deviation over photos and tags together.
        mixed: how far the photos differ: 0 where all are the same, or there is but one, 1 where they do as usual.
    """

    mean: float
    spread: float
    mixed: float


@dataclass(frozen=True)
class Statistics:
    """How the library's embeddings lie: their number, mean (d,) and second moments (d, d)."""

    photos: int
    mean: Floats
    moments: Floats

    def of_tags(self, vectors: Floats, level: Level) -> tuple[Floats, Floats]:
        """Mean and standard deviation (t,) of cosines with tags (t, d), drawn to the level where photos say little.

        A few photos do, and so do many that show the same, whose deviations are next to nothing.
        """
        means = vectors @ self.mean
        variances = np.maximum(self._squares(vectors) - means**2, 0)
        all_of_it = level.spread**2
        own = np.float32(level.mixed * self.photos / (self.photos + GROUP_PRIOR_PHOTOS))
        rest = 1 - own
        deviations: Floats = np.sqrt(own * variances + rest * np.float32(WITHIN * all_of_it))
        return own * means + rest * np.float32(level.mean), deviations

    def level(self, background: Floats) -> Level:
        """The level of all cosines with the background (b, d)."""
        means, squares = background @ self.mean, self._squares(background)
        mean = float(means.mean())
        variance = max(float(squares.mean()) - mean**2, 1e-8)
        within = max(float((squares - means**2).mean()), 0.0)
        return Level(mean, float(np.sqrt(variance)), min(1.0, within / variance / MIXED))

    def heights_of(self, vectors: Floats, level: Level) -> tuple[Floats, np.float32]:
        """What is taken from cosines with tags (t, d), (t,), and what they are then divided by."""
        own = self.photos / (self.photos + PRIOR_PHOTOS)
        above = vectors @ self.mean - np.float32(level.mean)
        return np.float32(level.mean) + OWN_MEAN * np.float32(own) * above, np.float32(level.spread)

    def _squares(self, vectors: Floats) -> Floats:
        """Mean squares (t,) of cosines with tags (t, d)."""
        found: Floats = np.einsum("td,de,te->t", vectors, self.moments, vectors, optimize=True)
        return found


def statistics(embeddings: Floats) -> Statistics:
    """The statistics of embeddings (n, d).

    Raises:
        ValueError: there are none.
    """
    if not len(embeddings):
        raise ValueError("expected at least one embedding, got none")
    return Statistics(len(embeddings), embeddings.mean(axis=0), embeddings.T @ embeddings / np.float32(len(embeddings)))


def standings(cosines: Floats, means: Floats, deviations: Floats) -> Floats:
    """Cosines (n, t) in standard deviations above each tag's mean."""
    return (cosines - means) / deviations


def masses(heights: Floats, highest: Floats) -> Floats:
    """The shares of a softmax over heights (n, t) before they are divided by their sum; in their shape.

    Args:
        heights: of photos with tags.
        highest: (n, 1) of the background, whose mass is 1, so that no photo's are all next to nothing.
    """
    mass: Floats = np.exp(SHARPNESS * np.minimum(heights - highest, HIGHEST))
    return mass


def log_odds(own: Floats, rest: Floats, whole: Floats) -> Floats:
    """Log odds that tags are right.

    Args:
        own: (n, t) masses of tags with all that lies under them.
        rest: (n, t) of all of the background that does not mean those.
        whole: (n, 1) of all of the background.
    """
    odds: Floats = SLOPE * (np.log(own + TINY) - np.log(np.maximum(rest, whole * LEAST_REST))) + SHIFT
    return odds


def group_log_odds(standing: Floats) -> Floats:
    """Log odds (n, g) of the shares of tags that exclude each other, of their standings (n, g)."""
    raised = _raised(standing)
    whole = raised.sum(axis=1, keepdims=True)
    odds: Floats = np.log(raised + TINY) - np.log(np.maximum(whole - raised, whole * LEAST_REST))
    return odds


def probability(log_odds: Floats) -> Floats:
    """The logistic function."""
    one, most = np.float32(1), np.float32(60)
    chance: Floats = one / (one + np.exp(-np.clip(log_odds, -most, most)))
    return chance


def shares(standing: Floats) -> Floats:
    """Probabilities (n, g) of tags that exclude each other, by softmax over their standings (n, g)."""
    raised = _raised(standing)
    share: Floats = raised / raised.sum(axis=1, keepdims=True)
    return share


def _raised(standing: Floats) -> Floats:
    raised: Floats = np.exp(GROUP_SHARPNESS * (standing - standing.max(axis=1, keepdims=True)))
    return raised
