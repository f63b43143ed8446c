"""Pages of hits against the plain definition: sort everything, then slice."""

from hypothesis import given
from hypothesis import strategies as st

from tests.app.search.shelf import Shelf


@given(st.lists(st.sampled_from([0.9, 0.5, 0.5, 0.1]), max_size=120), st.integers(1, 30), st.integers(0, 130))
def test_a_page_is_a_slice_of_the_whole_order_and_ties_go_by_path(scores, limit, offset):
    shelf = Shelf(scores)
    hits, more = shelf.page(limit, offset)
    assert hits == shelf.expected()[offset : offset + limit]
    assert more == (len(scores) > offset + limit)


def test_pages_put_together_hold_every_photo_once():
    shelf = Shelf([0.5] * 100)
    together = [hit for offset in range(0, 100, 7) for hit in shelf.page(7, offset)[0]]
    assert together == shelf.expected()


def test_an_empty_index_gives_an_empty_page():
    assert Shelf([]).page(5) == ([], False)


def test_a_photo_that_was_removed_meanwhile_is_left_out():
    shelf = Shelf([0.9, 0.8, 0.7], gone=frozenset({1}))
    assert [hit.photo.id for hit in shelf.page(3)[0]] == [0, 2]


def test_scores_are_plain_numbers_and_relevance_is_not_made_up():
    (hit,) = Shelf([0.25]).page(1)[0]
    assert type(hit.score) is float
    assert hit.relevance is None
