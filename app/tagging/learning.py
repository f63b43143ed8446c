"""What decisions teach of one tag: a better scale for its score, and a small classifier where that proves better. Pure.

Platt scaling moves the log odds to a + b * log odds. The classifier adds a direction in the space of embeddings, from
zero: it starts as the zero-shot tag and leaves it only as far as the decisions ask. Both are maximum a posteriori.
People decide on what is likely, so that decisions alone say nothing of all the rest: photos that nobody decided for
count as weak decisions beside them, each as likely as the words alone have it.
Legend: n decisions, m photos that nobody decided for, d dimension of the embeddings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from json import dumps, loads

import numpy as np
from numpy.typing import NDArray

from app.tagging.logistic import chance, posterior

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

LEAST_DECISIONS = 10  # below, nothing but the scale is learned
LEAST_OF_EACH = 3  # accepted, and rejected
FOLDS = 5
UNDECIDED = 300.0  # decisions that all photos without one count for together, as benchmarks/decisions.py has it best
OF_CLASSIFIER = 100  # of those, at most: fits of all weights take time
MOST_EACH = 5.0  # that each of those counts for
ONE_SIDED = 5  # decisions of one kind that are believed without one of the other; beyond, FOR_EACH for each of those
FOR_EACH = 5
STRENGTHS = (0.002, 0.02)  # prior variances of the classifier's weights, against that of the embeddings
MANY_DECISIONS = 50  # below, only the first: people review what is likely, and a free hand would learn that alone
LEAST_SLOPE = 0.05  # never turned round by a few odd decisions
_SCALE, _SCALE_AROUND = np.array([0.0, 1.0]), np.array([4.0, 0.25])  # prior means and variances of shift and slope


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


@dataclass(frozen=True)
class Undecided:
    """Photos that nobody decided for: their zero-shot log odds (m,), and embeddings (m, d), the mean taken away."""

    log_odds: Floats
    embeddings: Floats

    @property
    def weight(self) -> float:
        """What each counts for."""
        return min(MOST_EACH, UNDECIDED / max(1, len(self.log_odds)))

    def fewer(self, most: int) -> Undecided:
        """At most so many of them, spread as they are."""
        step = max(1, -(-len(self.log_odds) // most))
        return Undecided(self.log_odds[::step], self.embeddings[::step])


def learn(
    log_odds: Floats,
    embeddings: Floats,
    accepted: Labels,
    undecided: Undecided | None = None,
    *,
    wanted: bool = True,
    seed: int = 0,
) -> tuple[Fit, NDArray[np.float32] | None]:
    """Fit one tag.

    Args:
        log_odds: (n,) zero-shot.
        embeddings: (n, d), with the library's mean taken away.
        accepted: (n,) the decisions.
        undecided: some of the other photos, spread over the library; none where all were decided.
        wanted: whether a classifier may answer.
        seed: of the folds.

    Returns:
        The fit, and the classifier's direction (d,), None where there is none to be had.
    """
    rest = undecided or Undecided(np.empty(0), np.empty((0, embeddings.shape[1])))
    shift, slope = scale(log_odds, accepted, rest)
    counted = Fit(shift, slope, int(accepted.sum()), int((~accepted).sum()), wanted=wanted)
    if len(accepted) < LEAST_DECISIONS or min(counted.accepted, counted.rejected) < LEAST_OF_EACH:
        return counted, None
    parts, some = _folds(accepted, seed), rest.fewer(OF_CLASSIFIER)
    scaled = _held_out(parts, log_odds, embeddings, accepted, partial(_by_scale, rest))
    tried = {
        strength: _held_out(parts, log_odds, embeddings, accepted, partial(_by_classifier, some, strength))
        for strength in STRENGTHS[: 1 + (len(accepted) >= MANY_DECISIONS)]
    }
    strength = min(tried, key=lambda one: float(_loss(tried[one], accepted).mean()))
    learned = tried[strength]
    losses = _loss(scaled, accepted), _loss(learned, accepted)
    gain = losses[0] - losses[1]
    error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
    better = float(gain.mean()) > error  # by more than chance has it
    answers = better and wanted
    free_shift, free_slope, direction = classifier(log_odds, embeddings, accepted, strength, some)
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


def scale(log_odds: Floats, accepted: Labels, rest: Undecided | None = None) -> tuple[float, float]:
    """Shift and slope by Platt scaling, drawn to (0, 1) by a prior and by the photos that nobody decided for.

    Source: Platt 1999, 'Probabilistic outputs for support vector machines', with Gaussian priors for its targets. That
    what has no label counts for less: Nigam et al. 2000, 'Text classification from labeled and unlabeled documents'.
    """
    every = log_odds if rest is None else np.concatenate([log_odds, rest.log_odds])
    design = np.stack([np.ones_like(every), every], axis=1)
    target, weight = _targets(accepted, rest)
    shift, slope = posterior(design, target, weight, _SCALE, _SCALE_AROUND)
    if slope < LEAST_SLOPE:  # what the shift is, given that slope
        held = np.array([_SCALE_AROUND[0], 1e-12])
        shift, slope = posterior(design, target, weight, np.array([_SCALE[0], LEAST_SLOPE]), held)
    return float(shift), float(slope)


def classifier(
    log_odds: Floats, embeddings: Floats, accepted: Labels, strength: float, rest: Undecided | None = None
) -> tuple[float, float, Floats]:
    """Shift, slope and direction (d,) of a logistic regression that starts from the zero-shot score."""
    every, x = log_odds, embeddings
    if rest is not None:
        every, x = np.concatenate([every, rest.log_odds]), np.concatenate([x, rest.embeddings])
    design = np.concatenate([np.ones((len(every), 1)), every[:, None], x], axis=1)
    spread = max(float(embeddings.var(axis=0).sum()), 1e-12)
    around = np.concatenate([_SCALE_AROUND, np.full(x.shape[1], strength * len(design[0]) / spread)])
    start = np.zeros(design.shape[1])
    start[:2] = _SCALE
    weights = posterior(design, *_targets(accepted, rest), start, around)
    return float(weights[0]), float(max(weights[1], LEAST_SLOPE)), weights[2:]


def _targets(accepted: Labels, rest: Undecided | None) -> tuple[Floats, Floats]:
    """What each photo's chance should be, and what it counts for (n + m,)."""
    target = accepted.astype(float)
    if rest is None:
        return target, np.ones(len(target))
    counts = np.empty(len(target))
    for kind in (True, False):  # a thousand accepts and no reject say what was looked at, not how common a tag is
        of_it, others = accepted == kind, int((accepted != kind).sum())
        counts[of_it] = min(1.0, (ONE_SIDED + FOR_EACH * others) / max(1, int(of_it.sum())))
    every = np.concatenate([counts, np.full(len(rest.log_odds), rest.weight)])
    return np.concatenate([target, chance(rest.log_odds)]), every


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


def _by_scale(rest: Undecided, log_odds: Floats, x: Floats, accepted: Labels, asked: Floats, asked_x: Floats) -> Floats:
    shift, slope = scale(log_odds, accepted, rest)
    return shift + slope * asked


def _by_classifier(
    rest: Undecided, strength: float, log_odds: Floats, x: Floats, accepted: Labels, asked: Floats, asked_x: Floats
) -> Floats:
    shift, slope, direction = classifier(log_odds, x, accepted, strength, rest)
    return shift + slope * asked + asked_x @ direction


def _loss(log_odds: Floats, accepted: Labels) -> Floats:
    return np.logaddexp(0, np.where(accepted, -log_odds, log_odds))
