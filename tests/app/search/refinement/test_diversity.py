"""Maximal marginal relevance: alike ones apart, and pages that follow each other."""

import numpy as np
import pytest

from app.search.ranking import page
from app.search.refinement import diversity
from app.search.refinement.diversity import Diverse, marginal
from tests.app.search.shelf import Shelf


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def bursts(count, each, noise=0.05):
    """Vectors of so many bursts of `each` shots, one burst after the other."""
    rng = np.random.default_rng(0)
    return unit(
        np.repeat(unit(rng.normal(size=(count, 32))), each, axis=0) + noise * rng.normal(size=(count * each, 32))
    )


def test_one_of_each_burst_comes_before_the_second_of_any():
    scores = np.linspace(0.9, 0.5, 20, dtype=np.float32)
    order = marginal(scores, bursts(5, 4))
    assert order[0] == 0
    assert {at // 4 for at in order[:5].tolist()} == set(range(5))
    assert sorted(order.tolist()) == list(range(20))


def test_what_differs_stays_in_its_order():
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert marginal(scores, np.eye(3, dtype=np.float32)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_of_one_photo_or_none_there_is_one_order(count):
    assert marginal(np.ones(count, np.float32), np.ones((count, 4), np.float32)).tolist() == list(range(count))


def test_by_its_definition():
    scores, vectors = np.linspace(0.9, 0.1, 30, dtype=np.float32), bursts(6, 5, noise=0.2)
    alike = diversity._likeness(vectors @ vectors.T)
    fit, left, chosen = (scores - scores.min()) / (scores.max() - scores.min()), list(range(30)), []
    while left:
        best = max(left, key=lambda at: 0.5 * fit[at] - 0.5 * max((alike[at, one] for one in chosen), default=0))
        chosen.append(best)
        left.remove(best)
    assert marginal(scores, vectors).tolist() == chosen


@pytest.mark.parametrize("pool", [8, 512])
def test_pages_hold_each_photo_once_whatever_their_size(monkeypatch, pool):
    monkeypatch.setattr(diversity, "POOL", pool)
    shelf, vectors = Shelf(np.linspace(0.9, 0.1, 40).tolist()), bursts(10, 4).astype(np.float16)
    orders = []
    for limit in (1, 3, 7, 40):
        shown = []
        for offset in range(0, 40, limit):
            order = Diverse(shelf.nearest, lambda ids: vectors[ids])
            hits, has_more = page(order, shelf.photos, limit=limit, offset=offset)
            assert has_more == (offset + limit < 40)
            assert order.scores_of([hit.photo.id for hit in hits]) == [shelf.scores[hit.photo.id] for hit in hits]
            shown += [hit.photo.id for hit in hits]
        orders.append(shown)
    assert all(order == orders[0] for order in orders)
    assert sorted(orders[0]) == list(range(40))
    assert orders[0][pool:] == list(range(40))[pool:]
