"""Calibrated relevance: from cosines to the probability that a tag is right. Pure; it asks no model and no catalog.

A cosine of a photo and a tag says little by itself: tags have levels of their own, and so have photos. So a score is
put in units of the tag's own mean and spread over the library (its *standing*). A softmax over the standings of a
background vocabulary then says how much of a photo goes to the tag and to what lies under it, and how much to all the
rest; a logistic function of the odds of the two, fitted once on labelled photos, is the probability.
Legend: n photos, t tags, b background tags, d dimension of the embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PRIOR_PHOTOS = 100  # as many photos as the mean over all tags counts for in a tag's own mean and spread
SHARPNESS = np.float32(2.0)  # of the softmax over standings
SLOPE, SHIFT = np.float32(1.011), np.float32(1.103)
"""Of the logistic function: fitted on 933 labelled photos and 40 tags that the built-in model had not seen."""
TINY = np.float32(1e-12)
HIGHEST = np.float32(20.0)  # standing; beyond it the softmax would overflow
GROUP_THRESHOLD = 0.6
DEFAULT_THRESHOLD = 0.3


@dataclass(frozen=True)
class Statistics:
    """How the library's embeddings lie: their number, mean (d,) and second moments (d, d)."""

    photos: int
    mean: Floats
    moments: Floats

    def of_tags(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation (t,) of cosines with tags (t, d), drawn to those of all where photos are few."""
        means = vectors @ self.mean
        variances = np.maximum(np.einsum("td,de,te->t", vectors, self.moments, vectors, optimize=True) - means**2, 1e-8)
        own = self.photos / (self.photos + PRIOR_PHOTOS)
        return own * means + (1 - own) * means.mean(), np.sqrt(own * variances + (1 - own) * variances.mean())


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


def masses(standing: Floats) -> Floats:
    """The shares of a softmax before they are divided by their sum, in the shape of the standings."""
    mass: Floats = np.exp(SHARPNESS * np.minimum(standing, HIGHEST))
    return mass


def log_odds(own: Floats, rest: Floats) -> Floats:
    """Log odds that tags are right, of the masses of tags with all that lies under them, and of all the rest."""
    odds: Floats = SLOPE * (np.log(own + TINY) - np.log(np.maximum(rest, TINY))) + SHIFT
    return odds


def group_log_odds(standing: Floats) -> Floats:
    """Log odds (n, g) of the shares of tags that exclude each other, of their standings (n, g)."""
    raised = masses(standing)
    whole = raised.sum(axis=1, keepdims=True)
    odds: Floats = np.log(raised + TINY) - np.log(np.maximum(whole - raised, whole * np.float32(1e-6)) + TINY)
    return odds


def probability(log_odds: Floats) -> Floats:
    """The logistic function."""
    one, most = np.float32(1), np.float32(60)
    chance: Floats = one / (one + np.exp(-np.clip(log_odds, -most, most)))
    return chance


def shares(standing: Floats) -> Floats:
    """Probabilities (n, g) of tags that exclude each other, by softmax over their standings (n, g)."""
    raised = masses(standing)
    share: Floats = raised / raised.sum(axis=1, keepdims=True)
    return share
