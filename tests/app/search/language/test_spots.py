"""Where in a query an error is, and the excerpt that shows it."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.search.language.filter_fields import filter_of, make_filter
from app.search.language.filter_words import NAMES
from app.search.language.parsing import MAX_DEPTH, parse
from app.search.language.spots import CUT, Spot, excerpt, spot_of
from app.search.query import MAX_TEXT
from indexer.catalog.photo_filter import PhotoFilter
from indexer.errors import QueryError


def pointed_at(typed, **how):
    """The part that the error of a query is about; None where it is about none."""
    with pytest.raises(QueryError) as caught:
        parse(typed, **how)
    spot = spot_of(caught.value)
    assert spot is None or spot.text == typed
    return spot and typed[spot.start : spot.end]


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("dog after:2021-13-40 red", "2021-13-40"),
        ("🐕 caf\u00e9 after:soon", "soon"),
        ("dog after:", "after:"),
        ("dog -after: 2021", "after:"),
        ('dog folder:" "', '" "'),
        ("dog rating:9", "9"),
        ('width:"many pixels" dog', '"many pixels"'),
        ("(place:a near:1,2,3,4)", "1,2,3,4"),
        ("a kamera:canon b", "kamera"),
        ("a +kamera:canon b", "kamera"),
        ('a folder:"Summer 2021 b', '"'),
        ("a place:x -year:2020 place:y", "place:y"),
        ("a after:2021 before:2020 b", "after:2021 before:2020"),
        ("a before:2020 dog year:2021 b", "before:2020 dog year:2021"),
        ("a (after:2021 before:2020) place:x", "(after:2021 before:2020)"),
        ("a OR place:b", "OR"),
        ("place:b OR dog", "OR"),
        ("wine  NOT ", "NOT"),
        ("(place:a NOT people)", "NOT"),
        ("place:a OR (place:b OR ) dog", "OR"),
        ("dogs NOT 2:people", "2:"),
        ("dogs NOT + cats", "NOT"),
        ("dogs + - cats", "+"),
        ("dogs -", "-"),
        ("(place:a dog b)", "dog"),
        ("(red beach camera:canon)", "red beach"),
        ("(  red beach camera:canon)", "red beach"),
        ("before:2021 camera:x OR camera:y after:2022", "before:2021 camera:x OR camera:y after:2022"),
        ("place:b (place:a", "("),
        ("(" * (MAX_DEPTH + 1) + "place:a" + ")" * (MAX_DEPTH + 1), "("),
        ("a 0:dog cat", "0"),
        ("a -999:dog cat", "999"),
        ("2:camera:canon", "2:camera:"),
        ("a image:x", "image:"),
        ("a 犬、place:Paris b", "犬、place:"),
        ("a place:Paris,is:raw b", "Paris,is:"),
        ("x" * (MAX_TEXT + 1), None),
        ("- a " * 50, None),
        ("place:a OR " * 150 + "place:b", None),
    ],
)
def test_an_error_points_at_the_part_that_it_is_about(typed, part):
    assert pointed_at(typed) == part


def test_a_picture_that_is_not_named_is_pointed_at():
    assert pointed_at('dog -image:" " red', pictures=True) == 'image:" "'


@pytest.mark.parametrize(
    ("typed", "beside", "part"),
    [
        ("dog folder:A", {"folder": "B"}, "folder:A"),
        ('dog (place:"A b")', {"place": "B"}, '(place:"A b")'),
        ("dog after:2022", {"before": "2021"}, "after:2022"),
        ("dog (on:2022 OR on:2023) after:2022", {"before": "2021"}, "after:2022"),
    ],
)
def test_what_a_field_beside_rules_out_is_pointed_at(typed, beside, part):
    assert pointed_at(typed, beside=make_filter(**beside)) == part


def test_what_is_wrong_in_a_field_is_no_part_of_the_query():
    for fields, excluded in (({"after": "soon"}, []), ({}, ["kamera:canon"]), ({}, ["dog after:soon"])):
        with pytest.raises(QueryError) as caught:
            filter_of(fields, excluded)
        assert spot_of(caught.value) is None


def test_what_stands_beside_holds_too():
    both = parse("dog after:2021", beside=make_filter(folder="A"))
    assert (both.text, both.filter) == ("dog", PhotoFilter(after=datetime(2021, 1, 1), folder="A"))


values = st.text(st.characters(exclude_characters='"\u201c\u201d')).filter(str.strip)


@given(st.sampled_from(["dog ", "", "\u6771\u4eac\u0301 ", "(", "NOT ", "-"]), st.sampled_from(NAMES), values)
def test_an_error_about_a_value_points_at_that_value(before, name, value):
    typed = f'{before}{name}:"{value}"'
    try:
        parse(typed)
    except QueryError as error:
        spot = spot_of(error)
        assert spot.text == typed
        assert value in typed[spot.start : spot.end] or typed[spot.start] == "("  # that is never closed


def test_an_excerpt_is_the_whole_of_a_short_text():
    assert excerpt(Spot("dog after:x red", 10, 11), 60) == ("dog after:", "x", " red")


@given(st.text(max_size=200), st.text(min_size=1, max_size=200), st.text(max_size=200), st.integers(1, 80))
def test_an_excerpt_fits_and_steers_nothing(before, part, after, most):
    shown = excerpt(Spot(before + part + after, len(before), len(before) + len(part)), most)
    assert len("".join(shown)) <= most + 2 * len(CUT)
    assert "\n" not in "".join(shown)
    assert shown.part
    if (before + part + after).isprintable() and CUT not in "".join(shown):
        assert "".join(shown) == before + part + after


def test_an_excerpt_of_a_long_text_is_cut_around_the_part():
    long = Spot("a" * 5_000 + "after:" + "9" * 3 + "b" * 5_000, 5_006, 5_009)
    before, part, after = excerpt(long, 60)
    assert (before[:3], before[-6:], part, after[-3:]) == (CUT, "after:", "999", CUT)
    assert len(before + part + after) == 66
    whole = excerpt(Spot("9" * 9_000, 0, 9_000), 60)
    assert whole == ("", "9" * 60 + CUT, "")
