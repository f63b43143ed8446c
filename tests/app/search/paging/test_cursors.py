"""Cursors: kept as long as there is room, each for its own page."""

import sys
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from app.search.background import Sought
from app.search.paging.asked import Asked, CursorGoneError
from app.search.paging.cursors import Cursors
from app.search.query import Query, Term
from app.search.ranking import Hit
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import ModelRecord
from tests.app.search.shelf import record

MODEL = ModelRecord(id=1, name="colours", fingerprint="c0", dim=8)


def asked(ids=0, **query):
    return Asked("", Query(**query), MODEL, 1, handed_out=np.arange(ids))


def takes(value, seen):
    """What a value takes in memory with all that hangs on it, each thing once, in bytes."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    parts = list(vars(value).values()) if hasattr(value, "__dict__") else []
    if isinstance(value, tuple | list):
        parts += value
    elif isinstance(value, dict):
        parts += [*value, *value.values()]
    own = sys.getsizeof(value) + (sys.getsizeof(vars(value)) if hasattr(value, "__dict__") else 0)
    return own + sum(takes(part, seen) for part in parts)


def test_each_names_its_own_page_as_often_as_it_is_asked():
    cursors, pages = Cursors(), [asked(), asked(5)]
    names = [cursors.keep(page) for page in pages]
    assert len({*names, cursors.keep(pages[0])}) == 3
    assert min(map(len, names)) >= 24, "nobody guesses it"
    assert [cursors.find(name) for name in (*names, *names)] == [*pages, *pages]
    with pytest.raises(CursorGoneError, match="Search again"):
        cursors.find("x")


def test_the_least_recently_used_go_first():
    cursors = Cursors(most=2)
    first, second = cursors.keep(asked()), cursors.keep(asked())
    cursors.find(first)
    third = cursors.keep(asked())
    assert len(cursors) == 2
    assert cursors.find(first) and cursors.find(third)
    with pytest.raises(CursorGoneError):
        cursors.find(second)


def test_they_are_bounded_in_bytes_and_the_last_is_kept():
    cursors = Cursors(most_bytes=99_000)
    small = [cursors.keep(asked(1_000)) for _ in range(20)]
    assert len(cursors) == 9, "of 10,000 bytes and a little"
    large = cursors.keep(asked(1_000_000))
    assert (len(cursors), cursors.find(large).handed_out.nbytes) == (1, 8_000_000)
    assert cursors.find(cursors.keep(asked(1_000))) is not None
    for _ in range(20):
        cursors.keep(asked(1_000))
    assert len(cursors) == 9, "what went is counted no more"
    with pytest.raises(CursorGoneError):
        cursors.find(small[-1])


def test_one_search_drops_its_own_oldest_and_nobody_elses():
    cursors = Cursors(most=160, most_bytes=1_600_000)
    others = [cursors.keep(asked()) for _ in range(4)]
    page, names = asked(), []
    for at in range(400):
        page = page.following([Hit(record(n, "/a"), 0.5) for n in range(at * 5, at * 5 + 5)], has_more=True)
        names.append(cursors.keep(page))
        if at:
            assert cursors.find(names[-2]), "who lost an answer asks again"
        assert len(cursors) <= 4 + 10
    assert all(map(cursors.find, others))
    assert len(cursors) == 4 + 5, "of 18,000 bytes and a little, in a sixteenth of all"


def test_a_large_search_keeps_its_latest_three_alone():
    cursors = Cursors(most_bytes=1_000_000)
    other, first = cursors.keep(asked()), asked(20_000)
    names = [cursors.keep(replace(first)) for _ in range(3)]
    for _ in range(5):
        cursors.find(names[0])
        latest = cursors.keep(replace(first))
        assert cursors.find(other) and cursors.find(latest)
        assert len(cursors) == 4
    with pytest.raises(CursorGoneError):
        cursors.find(names[1])


def test_of_what_went_nothing_is_held():
    cursors = Cursors(most=3)
    for _ in range(50):
        cursors.keep(asked())
    assert len(cursors._of_one) == len(cursors) == 3


def test_a_search_is_let_go_of_whole_and_no_other():
    cursors, first, other = Cursors(), asked(), asked()
    own = [cursors.keep(page) for page in (first, replace(first, handed_out=np.arange(3)))]
    kept = cursors.keep(other)
    for _ in range(2):
        cursors.let_go(own[1])
        cursors.let_go("made up")
        assert (len(cursors), cursors.find(kept)) == (1, other)
    with pytest.raises(CursorGoneError):
        cursors.find(own[0])
    cursors.let_go(kept)
    assert (len(cursors), cursors._bytes, cursors._of_one) == (0, 0, {})


@pytest.mark.parametrize(
    "query",
    [
        {"text": "x" * 10_000},
        {"text": "\u6771" * 10_000},
        {"text": "a + b", "terms": tuple(Term(f"w{at}", 0.5 + at) for at in range(100))},
        {"unwanted": tuple(Term(f"w{at}", 0.5 + at) for at in range(2_000))},
        {"filter": PhotoFilter(either=(tuple(PhotoFilter(name=f"n{at}") for at in range(100)),))},
        {"filter": PhotoFilter(texts=tuple(f"w{at}" for at in range(2_000)))},
        {"filter": PhotoFilter(without=tuple(PhotoFilter(after=datetime(2000, 1, 1 + at)) for at in range(28)))},
        {"right": tuple(range(1000, 1100)), "wrong": tuple(range(2000, 2100))},
    ],
)
def test_no_less_is_counted_than_what_a_query_takes(query):
    page = asked(9, **query)
    assert page.bytes >= takes(page, {id(MODEL)})


def test_no_less_is_counted_than_what_is_left_out_takes():
    page = replace(asked(), without={at: f"{at:064x}" for at in range(1_000, 1_200)})
    assert page.bytes >= takes(page, {id(MODEL)})


@pytest.mark.parametrize(
    "query",
    [
        {"text": "x" * 10_000},
        {"terms": (Term("x" * 10_000),)},
        {"unwanted": (Term("x" * 10_000),)},
        {"filter": PhotoFilter(texts=("x" * 10_000,))},
        {"right": tuple(range(400))},
    ],
)
def test_whatever_is_large_in_a_query_counts(query):
    assert asked(**query).bytes - asked().bytes >= 39_000


def test_vectors_and_what_is_left_out_count_too():
    page = Asked("x" * 100, Query(), MODEL, 1, Sought(np.zeros(512, np.float32)), without=dict.fromkeys(range(9)))
    assert page.bytes - asked().bytes == 400 + 2048 + 2700


def test_what_follows_holds_the_hits_and_their_copies_and_no_picture():
    first = Asked("", Query(text="red", image=b"a file"), MODEL, 1, handed_out=np.array([4]))
    hits = [Hit(record(7, "/a"), 0.5, copies=(record(2, "/b"),))]
    following = first.following(hits, has_more=True)
    assert following.handed_out.tolist() == [2, 4, 7]
    assert (following.query.image, following.query.text) == (None, "red")
    assert first.following(hits, has_more=False) is None
    assert asked(offset=5).following(hits, has_more=True) is None, "photos before an offset were handed to nobody"
