"""Relevance from cosines, against the formula's definition and in worlds in which the truth is known."""

import numpy as np
import pytest

from app.search import background
from app.search.background import Calibration, Sought, measure

KINDS, EACH, DIM = 40, 25, 64


@pytest.fixture(scope="module")
def kinds():
    """Directions of so many kinds of things, (k, d)."""
    return unit(np.random.default_rng(0).normal(size=(KINDS, DIM)))


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def pictures_of(kinds, count, *, gap=0.8, noise=0.5, seed=1):
    """Photos of each kind: all share a direction that no text has, as CLIP's do, and each has noise of its own."""
    rng = np.random.default_rng(seed)
    shared, own = unit(rng.normal(size=DIM)), unit(rng.normal(size=(len(kinds) * count, DIM)))
    return unit(np.repeat(kinds, count, axis=0) + gap * shared + noise * own)


@pytest.mark.parametrize("gap", [0.0, 0.4, 0.8])
def test_one_half_parts_what_matches_from_what_does_not_whatever_the_models_level(kinds, gap):
    photos = pictures_of(kinds, EACH, gap=gap)
    back = measure(photos, kinds, len(photos))
    for number, kind in enumerate(kinds):
        calibration = back.calibration(Sought(kind))
        judged = np.array([calibration.relevance(float(cosine)) for cosine in photos @ kind]).reshape(KINDS, EACH)
        assert (judged[number] >= 0.5).mean() > 0.9
        assert (np.delete(judged, number, axis=0) >= 0.5).mean() < 0.01


def test_what_has_nothing_to_do_with_any_photo_matches_none(kinds):
    photos = pictures_of(kinds, EACH)
    back = measure(photos, kinds, len(photos))
    for nonsense in unit(np.random.default_rng(5).normal(size=(50, DIM))):
        least = back.calibration(Sought(nonsense)).least_cosine(0.5)
        assert (photos @ nonsense < least).all()


def test_a_kind_that_the_library_lacks_matches_none(kinds):
    photos = pictures_of(kinds[1:], EACH)
    back = measure(photos, kinds, len(photos))
    assert (photos @ kinds[0] < back.calibration(Sought(kinds[0])).least_cosine(0.5)).all()


@pytest.mark.parametrize("count", [1, 3])
def test_a_library_of_few_photos_is_judged_too(kinds, count):
    photos = pictures_of(kinds[:count], 1)
    back = measure(photos, kinds, count)
    assert back.calibration(Sought(kinds[0])).relevance(float(photos[0] @ kinds[0])) > 0.5
    assert back.calibration(Sought(kinds[9])).relevance(float(photos[0] @ kinds[9])) < 0.1


def test_relevance_is_the_formula(kinds):
    photos = pictures_of(kinds, EACH)
    back = measure(photos, kinds, len(photos))
    cosines, query = photos @ kinds.T, kinds[3]
    unrelated, matching = cosines.mean(), cosines.max(axis=1).mean()
    share = len(photos) / (len(photos) + background.PRIOR_PHOTOS)
    own = photos @ query
    mean = share * own.mean() + (1 - share) * unrelated
    deviation = np.sqrt(share * own.var() + (1 - share) * cosines.var())
    for cosine in (-0.2, 0.1, 0.4, 0.9):
        fit, standing = (cosine - unrelated) / (matching - unrelated), (cosine - mean) / deviation
        odds = background.FIT * fit + background.STANDING * standing + background.SHIFT
        assert back.calibration(Sought(query)).relevance(cosine) == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-4)


def test_several_terms_are_judged_by_what_each_fits(kinds):
    """A photo of both things matches 'a + b'; one of 'a - b' is a photo of a without b."""
    photos = pictures_of(kinds, EACH)
    back = measure(photos, kinds, len(photos))

    def sought(*weights):
        total = sum(weight * kind for weight, kind in zip(weights, kinds, strict=False))
        length = float(np.linalg.norm(total))
        return Sought(total / length, length, tuple((weight, False) for weight in weights))

    shared = unit(np.random.default_rng(1).normal(size=DIM))
    both, first, second = (unit(part + 0.8 * shared) for part in (kinds[0] + kinds[1], kinds[0], kinds[1]))
    for terms, right, wrong in [((1.0, 1.0), both, second), ((1.0, -1.0), first, both), ((0.5, -0.5), first, second)]:
        asked = sought(*terms)
        calibration = back.calibration(asked)
        assert calibration.relevance(float(right @ asked.vector)) > 0.5
        assert calibration.relevance(float(wrong @ asked.vector)) < calibration.relevance(float(right @ asked.vector))
    alone, doubled = Sought(kinds[0]), Sought(kinds[0], 2.0, ((2.0, False),))
    assert back.calibration(doubled).least_cosine(0.5) == pytest.approx(back.calibration(alone).least_cosine(0.5))


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 100.0])
def test_weights_count_in_proportion_however_small(kinds, scale):
    photos = pictures_of(kinds, EACH)
    back = measure(photos, kinds, len(photos))
    vector, length = unit(kinds[0] + kinds[1]), float(np.linalg.norm(kinds[0] + kinds[1]))
    least = back.calibration(Sought(vector, length, ((1.0, False), (1.0, False)))).least_cosine(0.5)
    scaled = back.calibration(Sought(vector, scale * length, ((scale, False), (scale, False))))
    assert scaled.least_cosine(0.5) == pytest.approx(least)
    mostly_against = Sought(unit(kinds[0] - 100 * kinds[1]), 100.0, ((1e-3 * scale, False), (-0.1 * scale, False)))
    assert back.calibration(mostly_against) is not None


def test_a_query_that_only_excludes_has_no_relevance(kinds):
    photos = pictures_of(kinds, EACH)
    assert measure(photos, kinds, len(photos)).calibration(Sought(-kinds[0], 1.0, ((-1.0, False),))) is None


def test_pictures_have_a_level_of_their_own_and_copies_do_not_move_it(kinds):
    photos = pictures_of(kinds, EACH)
    back = measure(photos, None, len(photos))
    assert back.calibration(Sought(kinds[0])) is None, "words have no level without names"
    asked = Sought(photos[0], parts=((1.0, True),))
    least = back.calibration(asked).least_cosine(0.5)
    matched = (photos @ photos[0] >= least).reshape(KINDS, EACH)
    assert matched[0].mean() > 0.5
    assert matched[1:].mean() < 0.01
    twice = measure(np.concatenate([photos, photos]), None, 2 * len(photos))
    assert twice.pictures.matching == pytest.approx(back.pictures.matching, abs=0.01)


def test_a_model_that_tells_nothing_apart_has_no_relevance():
    photos = unit(np.ones((5, DIM)))
    assert measure(photos, unit(np.ones((3, DIM))), 5).calibration(Sought(photos[0])) is None


def test_nothing_cannot_be_measured():
    with pytest.raises(ValueError, match="at least one photo"):
        measure(np.empty((0, DIM), np.float32), None, 0)


@pytest.mark.parametrize("relevance", [0.01, 0.5, 0.9])
def test_the_least_cosine_has_just_that_relevance(relevance):
    calibration = Calibration(20.0, -9.0)
    assert calibration.relevance(calibration.least_cosine(relevance)) == pytest.approx(relevance, abs=1e-6)


def test_all_and_none_are_no_logarithms():
    assert Calibration(20.0, -9.0).least_cosine(0.0) == -1
    assert Calibration(20.0, -9.0).least_cosine(1.0) > 1
