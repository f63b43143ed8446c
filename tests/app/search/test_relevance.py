"""Relevance of tags: what a library is like may move it a little, and never turn it round."""

import numpy as np
import pytest

from app.search import relevance
from app.tagging.scores import Scorer

PHOTOS, TAGS, DIM = 400, 40, 32
SHOWN = 1.5  # how much of its tag a photo has, against noise of length 1


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def vocabulary():
    """Tags (t, d), which have something in common, as they have in every model."""
    rng = np.random.default_rng(0)
    return unit(unit(rng.normal(size=(TAGS, DIM))) + 0.8 * unit(rng.normal(size=(1, DIM))))


def photos(vocabulary, tags):
    """Embeddings of photos (n, d) that show these tags."""
    rng = np.random.default_rng(1)
    return unit(SHOWN * vocabulary[tags] + unit(rng.normal(size=(len(tags), DIM))))


def scorer(vocabulary, library, own=None):
    paths = [(f"tag {n}",) for n in range(TAGS)]
    vectors = vocabulary if own is None else vocabulary[own]
    paths = paths if own is None else [paths[n] for n in own]
    return Scorer(paths, vectors, vocabulary, relevance.statistics(library), {}, [])


def test_a_library_of_one_photo_is_tagged_like_a_large_one(vocabulary):
    shown = np.arange(PHOTOS) % TAGS
    library = photos(vocabulary, shown)
    large = scorer(vocabulary, library).confidences(library)[1]
    alone = np.concatenate([scorer(vocabulary, one).confidences(one)[1] for one in np.split(library[:TAGS], TAGS)])
    assert (large.argmax(axis=1) == shown).mean() > 0.95
    assert (alone.argmax(axis=1) == shown[:TAGS]).mean() > 0.95
    surest = np.arange(TAGS), shown[:TAGS]
    assert np.median(abs(alone[surest] - large[surest])) < 0.1


def test_what_all_photos_of_a_library_show_is_suggested_for_them(vocabulary):
    shown = np.where(np.arange(PHOTOS) % 20 > 0, 0, np.arange(PHOTOS) % TAGS)
    library = photos(vocabulary, shown)
    made = scorer(vocabulary, library)
    kept = made.chosen(made.confidences(library)[1])
    assert kept[shown == 0, 0].mean() > 0.9


def test_the_confidence_of_a_word_does_not_hang_on_the_other_words_of_its_vocabulary(vocabulary):
    library = photos(vocabulary, np.arange(PHOTOS) % TAGS)
    own = [3, 11, 29]
    few, all_ = (scorer(vocabulary, library, words).confidences(library)[1] for words in (own, None))
    assert np.allclose(few, all_[:, own], atol=1e-4)


def test_where_nothing_is_left_for_the_rest_the_odds_stay_within_bounds(vocabulary):
    own = np.full((2, 1), 5.0, dtype=np.float32)
    odds = relevance.log_odds(own, np.array([[0.0], [-1e-6]], dtype=np.float32), own)
    assert np.allclose(odds, relevance.log_odds(own, own * relevance.LEAST_REST, own))
    assert 5 < odds[0, 0] < 20
