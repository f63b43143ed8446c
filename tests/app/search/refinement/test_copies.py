"""Copies as one: each photo is in the order, or behind one that is, once, whatever page is asked for."""

from datetime import UTC, datetime

import numpy as np
import pytest

from app.search.ranking import page
from app.search.refinement import copies
from app.search.refinement.copies import OneOfEach, by_content
from tests.app.search.shelf import Shelf

AWAY = datetime(2024, 2, 3, tzinfo=UTC)


def falling(contents, away=()):
    """Photos of falling score and these contents, of which some cannot be reached."""
    shelf = Shelf(np.linspace(0.9, 0.1, len(contents)).tolist())
    shelf.records = [
        record._replace(content_hash=content, missing_since=AWAY if at in away else None)
        for at, (record, content) in enumerate(zip(shelf.records, contents, strict=True))
    ]
    return shelf


def one_of_each(shelf):
    return OneOfEach(shelf.nearest, shelf.photos, shelf.contents, shelf.may_be_copies)


def test_the_first_stands_and_the_others_behind_it():
    order = one_of_each(falling("abacba"))
    assert order(10)[0].tolist() == [0, 1, 3]
    assert [order.behind(at) for at in (0, 1, 3)] == [[2, 5], [4], []]


def test_what_has_no_content_stands_for_itself():
    assert one_of_each(falling([None, None, "a"]))(10)[0].tolist() == [0, 1, 2]


def test_one_that_can_be_reached_stands_in_the_place_of_the_best():
    order = one_of_each(falling("abaca", away={0, 3}))
    ids, scores = order(10)
    assert ids.tolist() == [2, 1, 3]
    assert (np.diff(scores) < 0).all()
    assert order.behind(2) == [4, 0]


def test_of_equal_ones_the_first_path_stands():
    shelf = falling("aab")
    shelf.scores[:] = 0.5
    order = one_of_each(shelf)
    assert str(shelf.records[1].path) < str(shelf.records[0].path)
    assert order(10)[0].tolist() == [1, 2]


@pytest.mark.parametrize(("block", "most"), [(4, 12), (7, 1000), (256, 4096), (4, 4)])
def test_pages_hold_each_photo_once_whatever_their_size(monkeypatch, block, most):
    monkeypatch.setattr(copies, "BLOCK", block)
    monkeypatch.setattr(copies, "MOST", most)
    contents, answers = np.random.default_rng(1).choice(list("abc"), 40).tolist(), []
    for limit in (1, 3, 40):
        shown, offset, has_more = [], 0, True
        while has_more:
            shelf = falling(contents, away={0, 5, 9, 30})
            order = one_of_each(shelf)
            hits, has_more = page(order, shelf.photos, limit=limit, offset=offset)
            shown += [(hit.photo.id, *order.behind(hit.photo.id)) for hit in hits]
            offset += limit
        answers.append(shown)
    assert all(answer == answers[0] for answer in answers)
    assert sorted(at for group in answers[0] for at in group) == list(range(40))
    assert len(answers[0]) < 40


@pytest.mark.parametrize(("block", "most"), [(3, 6), (256, 4096)])
def test_of_equal_content_the_newest_that_can_be_reached_stands(monkeypatch, block, most):
    monkeypatch.setattr(copies, "BLOCK", block)
    monkeypatch.setattr(copies, "MOST", most)
    shelf = falling([*"aabca", None, None, *"deed"], away={8, 10})

    def newest(*, limit, offset):
        return list(range(11))[offset : offset + limit]

    answers = []
    for limit in (1, 2, 20):
        shown, offset, has_more = [], 0, True
        while has_more:
            found, has_more = by_content(newest, shelf.photos, limit=limit, offset=offset)
            shown += [[first.id, *(one.id for one in others)] for first, others in found]
            offset += limit
        answers.append(shown)
    assert all(answer == answers[0] for answer in answers)
    whole = [[0, 1, 4], [2], [3], [5], [6], [7, 10], [9, 8]]
    cut = [[0, 1], [2], [3], [4], [5], [6], [7], [8], [9], [10]]
    assert answers[0] == (whole if block == 256 else cut)
