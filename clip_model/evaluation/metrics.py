"""How good embeddings are: Recall@K, top-K accuracy, and a linear probe. Pure functions of arrays.

A tie counts against the model: a picture is found within K only if fewer than K wrong ones score at least as high.
So a model that gives everything the same score finds nothing, and no order of rows can flatter it.
Legend: q queries, n items, c classes, d dimension.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
_PROBE_STEPS = 200
_PENALTY = 1e-4  # where there are too few rows to choose one
_EXPONENTS = (-8.0, -6.0, -4.0, -2.0, 0.0)  # of ten, first tried
_FINER = (1.0, 0.5, 0.25)
_HELD_OUT = 4  # one row in so many chooses the penalty
_QUERIES_AT_ONCE = 1024  # bounds the memory that ranking takes


def recalls(queries: Floats, items: Floats, owners: Labels, groups: Labels, ks: Sequence[int]) -> dict[int, float]:
    """Share of the queries that find at least one right item among the K best by inner product, for each K.

    Args:
        queries: (q, d).
        items: (n, d).
        owners: (q,) what each query is about.
        groups: (n,) what each item is about; an item is right for a query where the two are equal.
        ks: how many of the best items are looked at, each at least 1.

    Returns:
        In [0, 1], by K.

    Raises:
        ValueError: if a K is less than 1, there are no queries, a query has no right item, or a score is not finite.
    """
    if not len(queries):
        raise ValueError("expected at least one query, got none")
    ranks = [
        _ranks(queries[i : i + _QUERIES_AT_ONCE] @ items.T, owners[i : i + _QUERIES_AT_ONCE, None] == groups)
        for i in range(0, len(queries), _QUERIES_AT_ONCE)
    ]
    found = np.concatenate(ranks)
    return {k: _share_within(found, k) for k in ks}


def top_k_accuracy(scores: Floats, labels: Labels, k: int) -> float:
    """Share of the rows whose own class is among the K with the highest scores.

    Args:
        scores: (n, c).
        labels: (n,) in [0, c).
        k: at least 1.

    Returns:
        In [0, 1].

    Raises:
        ValueError: if k is less than 1, there are no rows, a label is no class, or a score is not finite.
    """
    if not len(scores):
        raise ValueError("expected at least one row of scores, got none")
    return _share_within(_ranks(scores, labels[:, None] == np.arange(scores.shape[1])), k)


def linear_probe(
    train: Floats, train_labels: Labels, test: Floats, test_labels: Labels, *, penalty: float | None = None
) -> float:
    """Fit a logistic regression on embeddings and return its accuracy on others (section 3.2 of the paper).

    The penalty is swept as in the paper (its appendix A.3), on a part of what is fitted on.

    Args:
        train: (n, d) to fit on.
        train_labels: (n,) in [0, c).
        test: (m, d) to measure on.
        test_labels: (m,) in [0, c).
        penalty: weight of the squared weights beside the mean cross-entropy in nats; None sweeps it.

    Returns:
        Accuracy in [0, 1].

    Raises:
        ValueError: if there is nothing to fit or to measure on.
    """
    if not len(train) or not len(test):
        raise ValueError(f"expected rows to fit on and rows to measure on, got {len(train)} and {len(test)}")
    if penalty is None:
        penalty = best_penalty(train, train_labels)
    return _probe(train, train_labels, test, test_labels, penalty)


def best_penalty(train: Floats, labels: Labels) -> float:
    """The penalty with which a probe fitted on most rows is right most often on the others; the larger of equal ones.

    Every fourth row of each label is held out. Powers of a hundred come first, then ever closer ones around the best.
    """
    order = np.argsort(labels, kind="stable")
    place = np.empty(len(labels), dtype=np.int64)
    place[order] = np.arange(len(labels)) - np.searchsorted(labels[order], labels[order])  # within its label
    held = place % _HELD_OUT == _HELD_OUT - 1
    if not held.any() or held.all():
        return _PENALTY
    tried: dict[float, float] = {}

    def accuracy(exponent: float) -> float:
        if exponent not in tried:
            tried[exponent] = _probe(train[~held], labels[~held], train[held], labels[held], 10.0**exponent)
        return tried[exponent]

    best = max(_EXPONENTS, key=lambda exponent: (accuracy(exponent), exponent))
    for step in _FINER:
        best = max((best - step, best, best + step), key=lambda exponent: (accuracy(exponent), exponent))
    return float(10.0**best)


def _probe(train: Floats, train_labels: Labels, test: Floats, test_labels: Labels, penalty: float) -> float:
    features, labels = torch.from_numpy(train), torch.from_numpy(train_labels)
    weight = torch.zeros(int(max(train_labels.max(), test_labels.max())) + 1, train.shape[1], requires_grad=True)
    bias = torch.zeros(len(weight), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_PROBE_STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(F.linear(features, weight, bias), labels) + penalty * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    scores = F.linear(torch.from_numpy(test), weight, bias).detach().numpy()
    return top_k_accuracy(scores, test_labels, 1)


def _ranks(scores: Floats, right: NDArray[np.bool_]) -> Labels:
    """Return for each row how many wrong items score at least as high as its best right one."""
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite: the embeddings hold NaN or infinity")
    if not right.any(axis=1).all():
        raise ValueError(f"row {int(np.argmin(right.any(axis=1)))} has no right answer among the items")
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    ranks: Labels = np.count_nonzero((scores >= best) & ~right, axis=1)
    return ranks


def _share_within(ranks: Labels, k: int) -> float:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return float((ranks < k).mean())
