"""Scores: what a decision does to a tag, and to the tags that it excludes."""

import numpy as np
import pytest

from app.search import relevance
from app.tagging.learning import Fit
from app.tagging.scores import Scorer

RNG = np.random.default_rng(0)
PHOTOS, TAGS, DIM = 200, 6, 16
INDOOR, OUTDOOR = 0, 1


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def embeddings():
    return unit(RNG.normal(size=(PHOTOS, DIM)) + 0.5)


@pytest.fixture
def scorer(embeddings):
    vectors = unit(RNG.normal(size=(TAGS, DIM)))
    paths = [("scene", "indoor"), ("scene", "outdoor"), *((f"tag {n}",) for n in range(2, TAGS))]
    return Scorer(paths, vectors, vectors, relevance.statistics(embeddings), {}, [[INDOOR, OUTDOOR]])


def taught(scorer, learned):
    return Scorer(scorer.paths, scorer.vectors, scorer.background, scorer.lie, learned, scorer.groups)


def test_a_fit_that_changes_nothing_changes_nothing(scorer, embeddings):
    learned = {INDOOR: (Fit(accepted=1), None), 3: (Fit(accepted=1), None)}
    before, after = scorer.confidences(embeddings)[1], taught(scorer, learned).confidences(embeddings)[1]
    assert np.allclose(before, after, atol=1e-5)


def test_one_decision_leaves_the_others_of_the_group_their_photos(scorer, embeddings):
    before = scorer.chosen(scorer.confidences(embeddings)[1])
    other = taught(scorer, {INDOOR: (Fit(0.2, 0.95, accepted=1), None)})
    after = other.chosen(other.confidences(embeddings)[1])
    assert before[:, OUTDOOR].sum() > 20
    assert after[:, OUTDOOR].sum() > 0.8 * before[:, OUTDOOR].sum()
    assert abs(int(after[:, INDOOR].sum()) - int(before[:, INDOOR].sum())) < 0.2 * before[:, INDOOR].sum()


def test_the_shares_of_a_group_stay_shares_whatever_was_learned_of_it(scorer, embeddings):
    direction = RNG.normal(size=DIM).astype(np.float32)
    other = taught(scorer, {INDOOR: (Fit(1.0, 0.5), direction), OUTDOOR: (Fit(-1.0, 2.0), None)})
    shares = other.confidences(embeddings)[1][:, [INDOOR, OUTDOOR]]
    assert (shares >= 0).all()
    assert (shares.sum(axis=1) < 1 + 1e-5).all()


def test_the_confidence_of_a_learned_tag_of_a_group_is_what_its_fit_says(scorer, embeddings):
    fit = Fit(0.7, 0.8)
    confidence = taught(scorer, {INDOOR: (fit, None)}).confidences(embeddings)[1][:, INDOOR]
    said = relevance.probability(fit.scaled(scorer.zero_shot(embeddings)[1][:, INDOOR]))
    assert (confidence > 0).sum() > 20
    assert np.allclose(confidence[confidence > 0], said[confidence > 0], atol=1e-3)


def test_the_odds_of_a_group_are_those_of_its_shares():
    standing = RNG.normal(size=(50, 3)).astype(np.float32)
    odds = relevance.group_log_odds(standing)
    assert np.allclose(relevance.probability(odds), relevance.shares(standing), atol=1e-5)
