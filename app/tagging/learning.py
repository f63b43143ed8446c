"""What decisions teach of one tag: a better scale for its score, and a small classifier where that proves better. Pure.

Platt scaling moves the log odds to a + b * log odds. The classifier adds a direction in the space of embeddings, from
zero: it starts as the zero-shot tag and leaves it only as far as the decisions ask. Both are maximum a posteriori.
Legend: n decisions, d dimension of the embeddings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from json import dumps, loads

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

LEAST_DECISIONS = 10  # below, nothing but the scale is learned
LEAST_OF_EACH = 3  # accepted, and rejected
FOLDS = 5
STRENGTHS = (0.002, 0.02)  # prior variances of the classifier's weights, against that of the embeddings
MANY_DECISIONS = 50  # below, only the first: people review what is likely, and a free hand would learn that alone
_STEPS = 30


@dataclass(frozen=True)
class Fit:
    """What was learned of a tag.

    Attributes:
        shift: added to the log odds.
        slope: that they are multiplied with before.
        accepted: decisions that it was learned from.
        rejected: the same.
        classifier: whether the classifier answers.
        wanted: whether a person lets it.
        scaled_loss: mean log loss in nats of the scaled zero-shot score, cross-validated; None below LEAST_DECISIONS.
        classifier_loss: the same of the classifier.
        scaled_right: share of held-out decisions that it got right, cross-validated.
        classifier_right: the same of the classifier.
    """

    shift: float = 0.0
    slope: float = 1.0
    accepted: int = 0
    rejected: int = 0
    classifier: bool = False
    wanted: bool = True
    scaled_loss: float | None = None
    classifier_loss: float | None = None
    scaled_right: float | None = None
    classifier_right: float | None = None

    def text(self) -> str:
        """As it is stored."""
        return dumps(asdict(self))

    @staticmethod
    def of(text: str) -> Fit:
        """What `text` gave."""
        return Fit(**loads(text))

    def scaled(self, log_odds: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log odds on the scale that the decisions ask for."""
        return np.float32(self.slope) * log_odds + np.float32(self.shift)


def learn(
    log_odds: Floats, embeddings: Floats, accepted: Labels, *, wanted: bool = True, seed: int = 0
) -> tuple[Fit, NDArray[np.float32] | None]:
    """Fit one tag.

    Args:
        log_odds: (n,) zero-shot.
        embeddings: (n, d), with the library's mean taken away.
        accepted: (n,) the decisions.
        wanted: whether a classifier may answer.
        seed: of the folds.

    Returns:
        The fit, and the classifier's direction (d,), None where there is none to be had.
    """
    shift, slope = scale(log_odds, accepted)
    counted = Fit(shift, slope, int(accepted.sum()), int((~accepted).sum()), wanted=wanted)
    if len(accepted) < LEAST_DECISIONS or min(counted.accepted, counted.rejected) < LEAST_OF_EACH:
        return counted, None
    parts = _folds(accepted, seed)
    scaled = _held_out(parts, log_odds, embeddings, accepted, _by_scale)
    tried = {
        strength: _held_out(parts, log_odds, embeddings, accepted, partial(_by_classifier, strength))
        for strength in STRENGTHS[: 1 + (len(accepted) >= MANY_DECISIONS)]
    }
    strength = min(tried, key=lambda one: float(_loss(tried[one], accepted).mean()))
    learned = tried[strength]
    losses = _loss(scaled, accepted), _loss(learned, accepted)
    gain = losses[0] - losses[1]
    error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
    better = float(gain.mean()) > error  # by more than chance has it
    answers = better and wanted
    free_shift, free_slope, direction = classifier(log_odds, embeddings, accepted, strength)
    fit = replace(
        counted,
        shift=free_shift if answers else shift,
        slope=free_slope if answers else slope,
        classifier=answers,
        scaled_loss=float(losses[0].mean()),
        classifier_loss=float(losses[1].mean()),
        scaled_right=float(((scaled > 0) == accepted).mean()),
        classifier_right=float(((learned > 0) == accepted).mean()),
    )
    return fit, direction.astype(np.float32) if answers else None


def scale(log_odds: Floats, accepted: Labels) -> tuple[float, float]:
    """Shift and slope by Platt scaling, drawn to (0, 1).

    Source: Platt 1999, 'Probabilistic outputs for support vector machines', with Gaussian priors for its targets.
    """
    design = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    weights = _posterior(design, accepted, np.array([0.0, 1.0]), np.array([4.0, 0.25]))
    return float(weights[0]), float(max(weights[1], 0.05))  # never turned round by a few odd decisions


def classifier(log_odds: Floats, embeddings: Floats, accepted: Labels, strength: float) -> tuple[float, float, Floats]:
    """Shift, slope and direction (d,) of a logistic regression that starts from the zero-shot score."""
    design = np.concatenate([np.ones((len(log_odds), 1)), log_odds[:, None], embeddings], axis=1)
    spread = max(float(embeddings.var(axis=0).sum()), 1e-12)
    around = np.concatenate([[4.0, 0.25], np.full(embeddings.shape[1], strength * len(design[0]) / spread)])
    start = np.zeros(design.shape[1])
    start[1] = 1.0
    weights = _posterior(design, accepted, start, around)
    return float(weights[0]), float(max(weights[1], 0.05)), weights[2:]


def _posterior(design: Floats, accepted: Labels, mean: Floats, variance: Floats) -> Floats:
    """The most probable weights of a logistic regression with a Gaussian prior, by Newton's method in the data's space.

    With C the prior covariance the weights are mean + C X' alpha, so that a step solves n equations, not d.
    """
    spanned = (design * variance) @ design.T  # X C X'
    at_mean, target = design @ mean, accepted.astype(float)
    values = at_mean.copy()
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(values, -60, 60)))
        curve = np.maximum(chance * (1 - chance), 1e-9)
        working = values - at_mean + (target - chance) / curve
        alpha = np.linalg.solve(spanned + np.diag(1 / curve), working)
        step = at_mean + spanned @ alpha - values
        values = values + step / max(1.0, float(np.abs(step).max()) / 4)  # a long step overshoots
        if float(np.abs(step).max()) < 1e-9:
            break
    return mean + variance * (design.T @ alpha)


def _folds(accepted: Labels, seed: int) -> NDArray[np.int64]:
    """A fold for each decision, both kinds spread evenly."""
    rng, parts = np.random.default_rng(seed), np.empty(len(accepted), dtype=np.int64)
    for kind in (True, False):
        members = rng.permutation(np.flatnonzero(accepted == kind))
        parts[members] = np.arange(len(members)) % FOLDS
    return parts


_Predict = Callable[[Floats, Floats, Labels, Floats, Floats], Floats]


def _held_out(parts: NDArray[np.int64], log_odds: Floats, x: Floats, accepted: Labels, predict: _Predict) -> Floats:
    found = np.empty(len(accepted))
    for part in np.unique(parts):
        test, train = parts == part, parts != part
        found[test] = predict(log_odds[train], x[train], accepted[train], log_odds[test], x[test])
    return found


def _by_scale(log_odds: Floats, x: Floats, accepted: Labels, asked: Floats, asked_x: Floats) -> Floats:
    shift, slope = scale(log_odds, accepted)
    return shift + slope * asked


def _by_classifier(
    strength: float, log_odds: Floats, x: Floats, accepted: Labels, asked: Floats, asked_x: Floats
) -> Floats:
    shift, slope, direction = classifier(log_odds, x, accepted, strength)
    return shift + slope * asked + asked_x @ direction


def _loss(log_odds: Floats, accepted: Labels) -> Floats:
    return np.logaddexp(0, np.where(accepted, -log_odds, log_odds))
