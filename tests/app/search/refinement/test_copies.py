"""Copies as one: each photo is in the order, or behind one that is, once, whatever page is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from app.search.background import Background, Level
from app.search.ranking import page
from app.search.refinement import copies
from app.search.refinement.copies import Likeness, OneOfEach, by_content, followed
from tests.app.search.shelf import Shelf

NEAR = Likeness(0.98)


def vectors_of(*groups):
    """Rows of which those of one number are nearly the same."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(max(groups) + 1, 64))
    rows = kinds[list(groups)] + 0.01 * rng.normal(size=(len(groups), 64))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def one_of_each(shelf, vectors, likeness=NEAR):
    return OneOfEach(shelf.nearest, lambda ids: vectors[ids], shelf.photos, likeness)


def falling(count):
    return Shelf(np.linspace(0.9, 0.1, count).tolist())


def test_the_first_stands_and_the_others_behind_it():
    order = one_of_each(falling(6), vectors_of(0, 1, 0, 2, 1, 0))
    assert order(10)[0].tolist() == [0, 1, 3]
    assert [order.behind(at) for at in (0, 1, 3)] == [[2, 5], [4], []]
    assert order.all_behind().tolist() == [2, 4, 5]


def test_the_same_is_the_same_though_float16_leaves_it_a_little_short():
    rows = np.array([[0.5771, 0.577, 0.577]] * 2, np.float16).astype(np.float32)
    assert float(rows[0] @ rows[1]) < copies.IDENTICAL
    assert followed(rows, copies.IDENTICAL).tolist() == [0, 0]
    assert followed(np.zeros((2, 3), np.float32), copies.IDENTICAL).tolist() == [0, 1]


def test_nothing_chains():
    angles = np.array([0.0, 0.15, 0.3])  # neighbours have a cosine of 0.989, the ends one of 0.955
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert followed(rows, 0.98).tolist() == [0, 0, 2]


@pytest.mark.parametrize(("block", "most"), [(4, 12), (7, 1000), (256, 4096), (4, 4)])
def test_pages_hold_each_photo_once_whatever_their_size(monkeypatch, block, most):
    monkeypatch.setattr(copies, "BLOCK", block)
    monkeypatch.setattr(copies, "MOST", most)
    groups = np.random.default_rng(1).integers(0, 3, 40).tolist()
    vectors, answers = vectors_of(*groups), []
    for limit in (1, 3, 40):
        shown, offset, has_more = [], 0, True
        while has_more:
            shelf = falling(40)
            order = one_of_each(shelf, vectors)
            hits, has_more = page(order, shelf.photos, limit=limit, offset=offset)
            shown += [(hit.photo.id, *order.behind(hit.photo.id)) for hit in hits]
            offset += limit
        answers.append(shown)
    assert all(answer == answers[0] for answer in answers)
    assert sorted(at for group in answers[0] for at in group) == list(range(40))
    assert len(answers[0]) < 40


def test_without_a_level_the_vectors_and_the_content_have_to_be_the_same():
    vectors = vectors_of(0, 0, 0, 1)
    vectors[1] = vectors[0]
    vectors[3] = vectors[0]
    shelf = falling(4)
    shelf.records = [
        replace(record, content_hash=content) for record, content in zip(shelf.records, "aabb", strict=True)
    ]
    order = one_of_each(shelf, vectors, Likeness.against(None))
    assert order(9)[0].tolist() == [0, 2, 3]
    assert order.behind(0) == [1]


@pytest.mark.parametrize(("unrelated", "least"), [(0.1, 0.98), (0.8, 0.99), (0.999, 0.9999)])
def test_the_level_of_a_model_says_how_near_is_near(unrelated, least):
    nothing = np.zeros(4, np.float32)
    known = Background(9, nothing, np.zeros((4, 4), np.float32), None, Level(unrelated, 0.1, 1.0))
    assert Likeness.against(known).least == pytest.approx(least)


@pytest.mark.parametrize(("block", "most"), [(3, 6), (256, 4096)])
def test_of_equal_content_the_newest_stands(monkeypatch, block, most):
    monkeypatch.setattr(copies, "BLOCK", block)
    monkeypatch.setattr(copies, "MOST", most)
    shelf = falling(11)
    contents = [*"aabca", None, None, *"deed"]
    shelf.records = [replace(one, content_hash=content) for one, content in zip(shelf.records, contents, strict=True)]

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
    whole = [[0, 1, 4], [2], [3], [5], [6], [7, 10], [8, 9]]
    cut = [[0, 1], [2], [3], [4], [5], [6], [7], [8], [9], [10]]
    assert answers[0] == (whole if block == 256 else cut)
