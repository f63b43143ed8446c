"""Changes of tags: each says where a tag went in all, and those that lead back to where they began are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.tag_changes import noted, now, read, taken_back, written

DOG, PET, A, B, C = ("animal", "dog"), ("dog",), ("a",), ("b",), ("c",)


def after(*steps):
    changes = []
    for old, new, *merged in steps:
        changes = noted(changes, old, new, merged=bool(merged))
    return changes


@pytest.mark.parametrize(
    ("steps", "changes"),
    [
        ([(DOG, PET), (PET, DOG)], []),
        ([(A, B), (B, C), (C, A)], [(A, A), (B, A)]),  # it was called b for a while
        ([(A, B), (B, None)], [(A, None), (B, None)]),
        ([(A, B, "merged"), (B, A)], [(A, A), (B, A)]),  # it is no way back: both are there
        ([(B, C), (A, B)], [(B, C), (A, B)]),
    ],
)
def test_what_is_left_of_several_changes(steps, changes):
    assert sorted(after(*steps)) == sorted(changes)


def test_what_lay_under_a_renamed_tag_is_followed():
    changes = after((("food",), ("meal",)), (("meal", "fruit"), ("fruit",)))
    assert now(("food", "fruit", "fig"), changes) == ("fruit", "fig")
    assert now(("food", "soup"), changes) == ("meal", "soup")


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=2).map(tuple)


@given(st.sets(PATHS, min_size=1, max_size=6), st.lists(st.tuples(PATHS, st.none() | PATHS), max_size=5))
def test_each_tag_of_a_vocabulary_is_where_the_steps_one_by_one_have_led_it(tags, steps):
    places, changes = {tag: tag for tag in tags}, []
    for old, new in steps:
        there = {place for place in places.values() if place is not None}
        known = any(place[: len(old)] == old for place in there)
        if not known or (new and (new[: len(old)] == old or any(place[: len(new)] == new for place in there))):
            continue  # nothing to rename, or something in the way
        changes = noted(changes, old, new)
        for tag, place in places.items():
            if place is not None and place[: len(old)] == old:
                places[tag] = None if new is None else new + place[len(old) :]
    assert {tag: now(tag, changes) for tag in tags} == places
    assert read(written(changes)) == changes


def test_a_tag_that_is_wanted_again_comes_back_alone():
    assert taken_back(after((PET, None)), PET) == []
    changes = taken_back(after((("animal",), None)), DOG)
    assert now(DOG, changes) == DOG
    assert now(("animal", "cat"), changes) is None
