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


def within(shelf, ids):
    def nearest(k):
        found, scores = shelf.nearest(len(shelf.scores))
        kept = np.isin(found, ids)
        return found[kept][:k], scores[kept][:k]

    return nearest


def matches_of(shelf, said, own=None, least=0.5, calibration=HALF):
    ids = np.array(sorted(said), np.int64)
    worded = Worded(ids, np.isin(ids, list(said if own is None else own)))
    return Matches(shelf.nearest, shelf.photos, calibration, least, (worded, within(shelf, ids)))


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


def test_far_down_a_picture_adds_nothing(monkeypatch):
    monkeypatch.setattr("app.search.words.hybrid.DEPTH", 2)
    shelf = Shelf(SCORES)
    fused = Fused(Worded(np.array([4]), np.array([True])), within(shelf, [4]), shelf.nearest, shelf.nearest)
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
    assert found.hits[0].found_by == ("words", "picture")
    assert found.hits[0].relevance is None


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

    def among(k):
        kept = photo_of(index_ids[order]) == 1
        return index_ids[order][kept][:k], scores[kept][:k]

    fused = Fused(Worded(np.array([1]), np.array([True])), among, nearest, nearest)
    assert list(fused(4)[0]) == [frame_id(1, 2), 2, 3]
    assert fused.cosines_of([frame_id(1, 2), 3]) == pytest.approx([0.8, 0.3])


def test_the_index_is_looked_at_once_where_matches_are_few():
    asked, shelf = [], Shelf([0.9] * 40 + [0.2] * 600)

    def nearest(k):
        asked.append(k)
        return shelf.nearest(k)

    worded = Worded(np.array([600]), np.array([True]))
    found = Matches(nearest, shelf.photos, HALF, 0.5, (worded, within(shelf, [600]))).by_score(5, 0)
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
    rank_w = {a: 1 + sum((a not in own, -cosines[a]) > (b not in own, -cosines[b]) for b in said) for a in said}
    rank_p = {a: 1 + sum(cosines[b] > cosines[a] for b in cosines) for a in cosines}
    listed = {a for a in cosines if cosines[a] >= 0.5} | said
    summed = {a: (1 / (K + rank_w[a]) if a in said else 0) + 1 / (K + rank_p[a]) for a in listed}
    by_hand = sorted(listed, key=lambda a: (-round(summed[a], 12), a not in said, str(shelf.records[a].path)))
    assert ids(whole) == by_hand


def test_looks_go_on_past_the_first_where_there_is_more(monkeypatch):
    monkeypatch.setattr("app.search.words.hybrid.DEPTH", 4)
    monkeypatch.setattr(matches, "FIRST_LOOK", 4)
    found = matches_of(Shelf([0.9] * 30 + [0.2] * 30), {40, 2}).by_score(100, 0)
    assert found.count == len(found.hits) == 31
