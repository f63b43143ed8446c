"""The order of photos that words and pictures find: ranks by hand, pages, cuts, videos."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.search import matches
from app.search.background import Calibration
from app.search.matches import Matches
from app.search.words.hybrid import Fused, K, Worded
from indexer.catalog.frame_ids import frame_id, photo_of
from tests.app.search.shelf import Shelf

HALF = Calibration(20.0, -10.0)  # relevance 0.5 at a cosine of 0.5
SCORES = [0.9, 0.7, 0.55, 0.45, 0.1]


def within(shelf, asked=None):
    def of(ids):
        def nearest(k):
            found, scores = shelf.nearest(len(shelf.scores))
            kept = np.isin(found, ids)
            if asked is not None:
                asked.append(k)
            return found[kept][:k], scores[kept][:k]

        return nearest

    return of


def matches_of(shelf, said, own=None, least=0.5, calibration=HALF):
    ids = np.array(sorted(said), np.int64)
    worded = Worded(ids, np.isin(ids, list(said if own is None else own)))
    return Matches(shelf.nearest, shelf.photos, calibration, least, (worded, within(shelf)))


def ids(found):
    return [hit.photo.id for hit in found.hits]


def test_a_photo_found_by_its_words_is_a_match_whatever_it_shows():
    found = matches_of(Shelf(SCORES), {4}).by_score(10, 0)
    assert ids(found) == [4, 0, 1, 2]
    assert (found.count, found.has_more) == (4, False)
    assert [hit.found_by for hit in found.hits] == [("words",), *[("picture",)] * 3]
    assert [hit.score for hit in found.hits] == [pytest.approx(SCORES[at]) for at in (4, 0, 1, 2)]
    assert found.hits[0].relevance == round(HALF.relevance(found.hits[0].score), 4)


def test_what_both_find_stands_before_what_one_does():
    found = matches_of(Shelf(SCORES), {2, 4}).by_score(10, 0)
    # by hand: photo 2 is first by words and third by its picture, 4 second and fifth, 0 none and first
    assert 1 / (K + 1) + 1 / (K + 3) > 1 / (K + 2) + 1 / (K + 5) > 1 / (K + 1)
    assert ids(found) == [2, 4, 0, 1]
    assert [hit.found_by for hit in found.hits] == [("words", "picture"), ("words",), ("picture",), ("picture",)]


def test_words_of_its_own_go_before_those_of_names_and_then_the_nearer_picture(monkeypatch):
    monkeypatch.setattr("app.search.words.hybrid.DEPTH", 0)
    found = matches_of(Shelf([0.1, 0.2, 0.3, 0.4]), {0, 1, 2, 3}, own={0, 1}).by_score(10, 0)
    assert ids(found) == [1, 0, 3, 2]


def test_what_names_alone_find_comes_behind_all_that_looks_like_it():
    shelf = Shelf([0.9, 0.7, 0.55, 0.45, 0.1, 0.05])
    found = matches_of(shelf, {1, 3, 4}, own=()).by_score(10, 0)
    assert ids(found) == [1, 0, 2, 3, 4], "a picture that is so called is found by both"
    assert [hit.found_by for hit in found.hits][:3] == [("words", "picture"), ("picture",), ("picture",)]
    assert ids(matches_of(shelf, {1, 3, 4}, own=(), least=0).by_score(10, 0)) == [1, 0, 2, 3, 4, 5]
    assert ids(matches_of(shelf, {1, 3, 4}, own={4}).by_score(10, 0)) == [1, 4, 0, 2, 3]


def test_more_than_looks_like_it_is_asked_of_what_names_alone_find_too():
    shelf = Shelf([0.9, 0.7, 0.55, 0.45, 0.1])
    for least in (0.5, 0.9, 0.99, 1):
        matches = matches_of(shelf, {1, 3, 4}, own={4}, least=least, calibration=Calibration(20.0, -9.0))
        found = matches.by_score(10, 0)
        listed = {at for at in range(5) if Calibration(20.0, -9.0).relevance(shelf.scores[at]) >= least} | {4}
        assert set(ids(found)) == (listed if least > 0.5 else listed | {1, 3})
        assert matches.by_score(1, 0).count == found.count == len(found.hits)
        assert set(ids(matches.by_date(shelf.newest, 10, 0))) == set(ids(found))


@pytest.mark.parametrize("least", [0, 0.1, 0.5])
def test_a_picture_found_it_only_where_it_looks_like_it(least):
    found = {hit.photo.id: hit.found_by for hit in matches_of(Shelf(SCORES), {1, 4}, least=least).by_score(10, 0).hits}
    assert (found[1], found[4]) == (("words", "picture"), ("words",))


def test_no_picture_found_a_photo_that_fits_less_well_than_is_asked_for():
    matches = matches_of(Shelf([0.9, 0.55]), {1}, least=0.9, calibration=Calibration(20.0, -9.0))
    found = {hit.photo.id: hit.found_by for hit in matches.by_score(10, 0).hits}
    assert found == {0: ("picture",), 1: ("words",)}


def test_of_photos_that_tie_none_gains_by_it(monkeypatch):
    # by hand: 1 to 9 tie at a mean rank of 6 by their picture, 5 by words; 0 is first by its picture
    found = matches_of(Shelf([0.9] + [0.2] * 9 + [0.1]), set(range(1, 10)) | {10}).by_score(11, 0)
    assert ids(found)[:9] == list(range(9, 0, -1))
    sums = [1 / (K + 5) + 1 / (K + 6), 1 / (K + 1), 1 / (K + 10) + 1 / (K + 11)]
    assert sums[0] > sums[2] > sums[1] and ids(found)[9:] == [10, 0]


def test_however_many_carry_a_word_few_are_compared():
    shelf, asked = Shelf([0.9, *np.linspace(0.8, 0.01, 20_000).tolist()]), []
    worded = Worded(np.arange(1, 20_001), np.arange(1, 20_001) % 2 == 0)
    matches = Matches(shelf.nearest, shelf.photos, HALF, 0.5, (worded, within(shelf, asked)))
    found = matches.by_score(20, 0)
    assert (found.count, len(found.hits), found.has_more) == (20_001, 20, True)
    assert len(asked) == 2 and max(asked) <= 600
    far = matches.by_score(20, 15_000)
    assert ids(far) == ids(matches.by_score(15_020, 0))[15_000:]


def test_far_down_a_picture_adds_nothing(monkeypatch):
    monkeypatch.setattr("app.search.words.hybrid.DEPTH", 2)
    shelf = Shelf(SCORES)
    fused = Fused(Worded(np.array([4]), np.array([True])), within(shelf), shelf.nearest, shelf.nearest)
    assert list(fused(5)[0]) == [4, 0, 1, 2, 3], "of equal sums words go first"


def test_photos_that_tie_come_by_path():
    found = matches_of(Shelf([0.5] * 6), {1, 3}).by_score(10, 0)
    assert ids(found) == [3, 1, 5, 4, 2, 0]  # paths run against the ids


@pytest.mark.parametrize("least", [0.0, 0.5, 0.9])
def test_the_cut_leaves_photos_out_and_moves_none(least):
    shelf = Shelf([0.9, 0.7, 0.55, 0.45, 0.1, 0.05])
    everything = ids(matches_of(shelf, {3, 4}, least=0).by_score(10, 0))
    found = matches_of(shelf, {3, 4}, least=least).by_score(10, 0)
    assert ids(found) == [at for at in everything if at in ids(found)]
    assert {3, 4} <= set(ids(found))


def test_without_a_calibration_words_still_count():
    found = matches_of(Shelf(SCORES), {4}, calibration=None).by_score(10, 0)
    assert (ids(found)[0], found.count) == (4, None)
    assert [hit.found_by for hit in found.hits] == [("words",), *[("picture",)] * 4]
    assert found.hits[0].relevance is None
    assert ids(matches_of(Shelf(SCORES), {4}, own=(), calibration=None).by_score(10, 0))[0] == 4


def test_by_date_come_all_that_words_or_pictures_find():
    days = [datetime(2020, 1, 1), None, datetime(2022, 1, 1), datetime(2024, 1, 1), datetime(2025, 1, 1)]
    shelf = Shelf(SCORES, dates=days)
    found = matches_of(shelf, {4}).by_date(shelf.newest, 10, 0)
    assert ids(found) == [4, 2, 0, 1]
    assert (found.count, found.hits[0].found_by) == (4, ("words",))
    assert [hit.score for hit in found.hits] == [pytest.approx(SCORES[at]) for at in (4, 2, 0, 1)]


def test_of_a_video_the_best_frame_stands_for_it():
    index_ids = np.array([1, frame_id(1, 2), 2, 3], np.int64)
    shelf = Shelf([0.2, 0.8, 0.5, 0.3])
    order, scores = shelf.nearest(4)

    def nearest(k):
        return index_ids[order[:k]], scores[:k]

    def among(ids):
        kept = np.isin(photo_of(index_ids[order]), ids)
        return lambda k: (index_ids[order][kept][:k], scores[kept][:k])

    fused = Fused(Worded(np.array([1]), np.array([True])), among, nearest, nearest)
    assert list(fused(4)[0]) == [frame_id(1, 2), 2, 3]
    assert fused.cosines_of([frame_id(1, 2), 3]) == pytest.approx([0.8, 0.3])


def test_the_index_is_looked_at_once_where_matches_are_few():
    asked, shelf = [], Shelf([0.9] * 40 + np.linspace(0.2, 0.1, 600).tolist() + [0.05])

    def nearest(k):
        asked.append(k)
        return shelf.nearest(k)

    worded = Worded(np.array([600]), np.array([True]))
    found = Matches(nearest, shelf.photos, HALF, 0.5, (worded, within(shelf))).by_score(5, 0)
    assert (found.count, len(asked)) == (41, 1)


@given(
    scores=st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.6, 0.8, 0.9]), min_size=1, max_size=40),
    said=st.sets(st.integers(0, 39), min_size=1, max_size=12),
    own=st.sets(st.integers(0, 39), max_size=12),
    size=st.integers(1, 7),
)
def test_pages_together_are_the_whole_order_as_written_out_by_hand(scores, said, own, size):
    said = {at for at in said if at < len(scores)} or {0}
    shelf = Shelf(scores)
    whole = matches_of(shelf, said, own).by_score(100, 0)
    pages = [matches_of(shelf, said, own).by_score(size, offset) for offset in range(0, len(scores), size)]
    assert [number for page in pages for number in ids(page)] == ids(whole)
    assert {page.count for page in pages} == {whole.count} == {len(whole.hits)}

    cosines = {at: float(shelf.scores[at]) for at in range(len(scores))}

    def mean_rank(key, among):
        keys = [key(at) for at in among]
        return {at: 1 + sum(one < key(at) for one in keys) + (keys.count(key(at)) - 1) / 2 for at in among}

    rank_w = mean_rank(lambda at: (at not in own, -cosines[at]), said)
    rank_p = mean_rank(lambda at: -cosines[at], cosines)
    listed = {a for a in cosines if cosines[a] >= 0.5} | said
    summed = {a: (1 / (K + rank_w[a]) if a in said else 0) + 1 / (K + rank_p[a]) for a in listed}
    behind = {a for a in said - own if cosines[a] < 0.5}
    by_hand = sorted(
        listed, key=lambda a: (a in behind, -round(summed[a], 12), a not in said, str(shelf.records[a].path))
    )
    assert ids(whole) == by_hand


def test_looks_go_on_past_the_first_where_there_is_more(monkeypatch):
    monkeypatch.setattr("app.search.words.hybrid.DEPTH", 4)
    monkeypatch.setattr(matches, "FIRST_LOOK", 4)
    found = matches_of(Shelf([0.9] * 30 + [0.2] * 30), {40, 2}).by_score(100, 0)
    assert found.count == len(found.hits) == 31
