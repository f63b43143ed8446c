"""Which hits are matches: the cut, the count, the order by date."""

from datetime import datetime

import pytest

from app.search import matches
from app.search.background import Calibration
from app.search.matches import Matches
from tests.app.search.shelf import Shelf

HALF = Calibration(20.0, -10.0)  # relevance 0.5 at a cosine of 0.5
SCORES = [0.9, 0.7, 0.55, 0.45, 0.1]


def matches_of(shelf, calibration=HALF, least=0.5):
    return Matches(shelf.nearest, shelf.photos, calibration, least)


def ids(found):
    return [hit.photo.id for hit in found.hits]


def test_only_what_is_relevant_enough_is_a_match():
    found = matches_of(Shelf(SCORES)).by_score(10, 0)
    assert ids(found) == [0, 1, 2]
    assert (found.count, found.has_more) == (3, False)
    assert [hit.relevance for hit in found.hits] == [round(HALF.relevance(score), 4) for score in SCORES[:3]]


@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (2, 0), (1, 1), (3, 0), (2, 2), (5, 7)])
def test_matches_are_counted_whatever_page_is_shown(limit, offset):
    found = matches_of(Shelf(SCORES)).by_score(limit, offset)
    assert found.count == 3
    assert ids(found) == [0, 1, 2][offset : offset + limit]
    assert found.has_more == (offset + limit < 3)


def test_a_photo_right_at_the_cut_is_in():
    least = HALF.relevance(0.55)
    assert ids(matches_of(Shelf([0.9, 0.55, 0.5499]), least=least).by_score(5, 0)) == [0, 1]


def test_the_index_is_looked_at_once_where_matches_are_few():
    asked, shelf = [], Shelf([0.9] * 40 + [0.2] * 60)

    def nearest(k):
        asked.append(k)
        return shelf.nearest(k)

    matches_ = Matches(nearest, shelf.photos, HALF, 0.5)
    assert matches_.by_score(5, 0).count == 40
    assert matches_.why_none() is not None
    assert len(asked) == 1


@pytest.mark.parametrize("scores", [[0.9] * 40 + [0.2] * 60, [0.2] * 60, [0.9] * 700 + [0.2] * 60, []])
def test_what_reaches_the_cut_alone_is_looked_for_where_that_is_quicker(scores):
    asked, shelf = [], Shelf(scores)

    def reaching(least, k):
        asked.append(least)
        ids_, found = shelf.nearest(k)
        return ids_[found >= least], found[found >= least]

    quicker = Matches(shelf.nearest, shelf.photos, HALF, 0.5, reaching=reaching)
    usual = matches_of(shelf)
    for limit, offset in [(5, 0), (3, 38), (1, 39), (5, 60)]:
        assert quicker.by_score(limit, offset) == usual.by_score(limit, offset)
    assert quicker.by_date(shelf.newest, 5, 2) == usual.by_date(shelf.newest, 5, 2)
    assert quicker.why_none() == usual.why_none()
    assert all(least == pytest.approx(0.5) for least in asked)


@pytest.mark.parametrize("least", [0.5, 0])
def test_of_a_larger_library_more_is_looked_at_first_where_matches_are_counted(least):
    asked, shelf = [], Shelf([0.9 - at / 10_000 for at in range(900)] + [0.2] * 2_000)

    def nearest(k):
        asked.append(k)
        return shelf.nearest(k)

    assert Matches(nearest, shelf.photos, HALF, least, total=64_000).by_score(5, 0).count == (900 if least else None)
    assert asked == ([1000] if least else [512])
    asked.clear()
    assert Matches(nearest, shelf.photos, HALF, 0.5, total=100_000_000).by_score(5, 0).count == 900
    assert asked == [4096], "and no more, however large it is"


@pytest.mark.parametrize(("total", "first"), [(50, 128), (3_000, 187), (20_000, 512), (0, 512)])
def test_of_a_small_library_less_is_looked_at_first_and_all_that_match_are_counted(total, first):
    for matching in (first - 1, first + 1, 700):
        asked, shelf = [], Shelf([0.9 - at / 10_000 for at in range(matching)] + [0.2] * 2_000)

        def nearest(k, asked=asked, shelf=shelf):
            asked.append(k)
            return shelf.nearest(k)

        assert Matches(nearest, shelf.photos, HALF, 0.5, total=total).by_score(5, 0).count == matching
        assert asked[0] == first
        assert (len(asked) == 1) == (matching < first)


def test_many_matches_are_counted_to_the_end(monkeypatch):
    monkeypatch.setattr(matches, "FIRST_LOOK", 4)
    shelf = Shelf([0.9] * 70 + [0.2] * 30)
    assert matches_of(shelf).by_score(5, 0).count == 70
    monkeypatch.setattr(matches, "MOST_MATCHES", 50)
    assert matches_of(shelf).by_score(5, 0).count == 50, "and no further than that"


def test_without_a_cut_all_are_listed_and_nothing_is_counted():
    shelf = Shelf(SCORES)
    for found in (matches_of(shelf, least=0).by_score(9, 0), matches_of(shelf, calibration=None).by_score(9, 0)):
        assert ids(found) == [0, 1, 2, 3, 4]
        assert found.count is None
    assert matches_of(shelf, calibration=None).by_score(1, 0).hits[0].relevance is None


def test_by_date_all_matches_come_the_newest_first_and_none_besides():
    days = [datetime(2020, 1, 1), None, datetime(2022, 1, 1), datetime(2024, 1, 1), datetime(2025, 1, 1)]
    shelf = Shelf(SCORES, dates=days)
    found = matches_of(shelf).by_date(shelf.newest, 2, 0)
    assert ids(found) == [2, 0]
    assert (found.count, found.has_more) == (3, True)
    rest = matches_of(shelf).by_date(shelf.newest, 2, 2)
    assert ids(rest) == [1]
    assert not rest.has_more
    assert [hit.score for hit in rest.hits] == [pytest.approx(0.7)]


def test_by_date_there_is_an_end_only_where_the_matches_end():
    shelf = Shelf([0.9] * 700, dates=[datetime(2020, 1, 1)] * 700)
    found = matches_of(shelf).by_date(shelf.newest, 50, 650)
    assert (len(found.hits), found.has_more, found.count) == (50, False, 700)


def test_that_there_is_none_is_said_after_an_exact_look_alone():
    shelf, asked = Shelf(SCORES), []

    def most(k):  # what lists may leave out: the nearest three
        found, scores = shelf.nearest(k + 3)
        return found[3:], scores[3:]

    def exactly(k):
        asked.append(k)
        return shelf.nearest(k)

    looked = Matches(most, shelf.photos, HALF, 0.5, exactly=exactly)
    assert (ids(looked.by_score(10, 0)), looked.by_score(10, 0).count, len(asked)) == ([0, 1, 2], 3, 1)
    assert f"{HALF.relevance(0.9):.2f}" in Matches(most, shelf.photos, HALF, 0.99, exactly=exactly).why_none()
    asked.clear()
    assert Matches(most, shelf.photos, HALF, 0.2, exactly=exactly).by_score(10, 0).count == 1
    assert Matches(most, shelf.photos, HALF, 0, exactly=exactly).by_score(10, 0).count is None
    assert asked == []


def test_why_there_is_none():
    assert "nothing here looks like that" in matches_of(Shelf([0.3])).why_none()
    assert f"{HALF.relevance(0.3):.2f}" in matches_of(Shelf([0.3])).why_none()
    assert "no photo fits so well" in matches_of(Shelf([0.6]), least=0.99).why_none()
    assert matches_of(Shelf([])).why_none() is None
    assert matches_of(Shelf([0.3]), calibration=None).why_none() is None
