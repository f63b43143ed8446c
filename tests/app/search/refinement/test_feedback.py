"""Marks draw a query towards what is right, and its relevance follows."""

import numpy as np
import pytest

from app.search.background import Sought, measure
from app.search.refinement.feedback import Marks, recalibrated, refined
from indexer.errors import QueryError
from tests.app.search.test_background import DIM, pictures_of, unit

NONE = np.empty((0, DIM), np.float32)


@pytest.fixture(scope="module")
def kinds():
    return unit(np.random.default_rng(0).normal(size=(40, DIM)))


@pytest.fixture(scope="module")
def photos(kinds):
    return pictures_of(kinds, 25)


@pytest.fixture(scope="module")
def back(kinds, photos):
    return measure(photos, kinds, len(photos))


@pytest.fixture
def torn(kinds):
    """A query that lies between two kinds, photos 0 to 24 and 25 to 49."""
    return Sought(unit(kinds[0] + kinds[1]))


def drawn_by(torn, right, wrong, back, least=0.5):
    marks = Marks(right, wrong)
    drawn = refined(torn, marks)
    before = back.calibration(torn)
    return drawn, before, recalibrated(before, back, torn, drawn, marks, least)


def test_what_is_like_the_right_ones_comes_before_what_is_like_the_wrong_ones(torn, photos):
    drawn = refined(torn, Marks(photos[:2], photos[25:27]))
    assert np.linalg.norm(drawn.vector) == pytest.approx(1, abs=1e-5)
    cosines, before = photos @ drawn.vector, photos @ torn.vector
    assert cosines[2:25].min() > cosines[27:50].max()
    assert before[2:25].min() < before[27:50].max()


@pytest.mark.parametrize(("right", "wrong"), [(1, 0), (0, 1), (3, 2), (0, 5)])
def test_more_of_the_right_kind_and_fewer_of_the_wrong_one_are_matches(torn, photos, back, right, wrong):
    drawn, before, after = drawn_by(torn, photos[:right], photos[25 : 25 + wrong], back)
    old = photos @ torn.vector >= before.least_cosine(0.5)
    new = photos @ drawn.vector >= after.least_cosine(0.5)
    if right:
        assert new[:25].sum() >= old[:25].sum()
    assert new[25:50].sum() < old[25:50].sum()
    assert new[50:].mean() < 0.02


def test_a_photo_that_is_marked_right_is_a_match_however_far_it_was(torn, photos, back):
    drawn, before, after = drawn_by(torn, photos[[0, 500]], NONE, back)
    assert before.relevance(float(photos[500] @ torn.vector)) < 0.1
    assert after.relevance(float(photos[500] @ drawn.vector)) > 0.5


@pytest.mark.parametrize("least", [0, 0.3, 0.5, 0.7, 0.99, 0.99999])
def test_it_is_one_whatever_relevance_a_match_has(torn, photos, back, least):
    drawn, _, after = drawn_by(torn, photos[[0, 500]], photos[25:27], back, least)
    found = np.float32(photos[[0, 500]] @ drawn.vector)
    assert (found >= np.float32(after.least_cosine(max(0.5, least)))).all()


@pytest.mark.parametrize("least", [0.5, 0.8])
def test_wrong_ones_lower_no_right_one_below_the_cut(torn, photos, back, least):
    drawn, _, after = drawn_by(torn, photos[:3], photos[3:6], back, least)
    assert all(after.relevance(float(photo @ drawn.vector)) > least for photo in photos[:3])


def test_marks_that_leave_nothing_of_the_query_are_refused():
    direction = np.eye(DIM, dtype=np.float32)[:1]
    with pytest.raises(QueryError, match="Take one of them away"):
        refined(Sought(direction[0]), Marks(-2 * direction, NONE))
