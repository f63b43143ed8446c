"""Logistic regression with a Gaussian prior and weighted, soft targets. Pure arithmetic.

Legend: n photos, k weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 30


def chance(log_odds: Floats) -> Floats:
    """The logistic function."""
    likely: Floats = 1 / (1 + np.exp(-np.clip(log_odds, -60, 60)))
    return likely


def posterior(design: Floats, target: Floats, weight: Floats, mean: Floats, variance: Floats) -> Floats:
    """The most probable weights of a logistic regression with a Gaussian prior, by Newton's method.

    Args:
        design: (n, k) what each photo says.
        target: (n,) its chance, 0 to 1.
        weight: (n,) what it counts for.
        mean: (k,) of the prior.
        variance: (k,) of the prior.

    With C the prior covariance the weights are mean + C X' alpha: a step solves as many equations as there are photos,
    or weights where those are fewer.
    """
    few = len(design) < design.shape[1]
    spanned = (design * variance) @ design.T if few else np.empty((0, 0))  # X C X'
    at_mean, weights = design @ mean, mean.copy()
    values = at_mean.copy()
    for _ in range(_STEPS):
        likely = chance(values)
        slant, curve = weight * (target - likely), np.maximum(weight * likely * (1 - likely), 1e-9)
        if few:
            alpha = np.linalg.solve(spanned + np.diag(1 / curve), values - at_mean + slant / curve)
            aim = mean + variance * (design.T @ alpha)
        else:
            bent = design.T @ (design * curve[:, None]) + np.diag(1 / variance)
            aim = weights + np.linalg.solve(bent, design.T @ slant - (weights - mean) / variance)
        step = design @ aim - values
        longest = float(np.abs(step).max())
        weights = weights + (aim - weights) / max(1.0, longest / 4)  # a long step overshoots
        values = design @ weights
        if longest < 1e-9:
            break
    return weights
