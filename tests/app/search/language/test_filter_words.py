"""What each filter makes of its value."""

from datetime import datetime

import pytest

from app.search.language.date_words import span_of
from app.search.language.filter_fields import filter_of, parse_filter
from app.search.language.filter_words import NAMES, condition
from indexer.catalog.photo_filter import HAS, Bounds, Near, PhotoFilter
from indexer.errors import QueryError

D = datetime
F = PhotoFilter


@pytest.mark.parametrize("name", NAMES)
def test_a_value_of_any_filter_has_a_length(name):
    """From fields of a page, too: to compare a row of accents takes the square of its length, at once for all."""
    with pytest.raises(QueryError, match="at most 10,000 are taken"):
        filter_of({name: "a" + "\u0301\u0316" * 5_000})


def test_a_date_is_its_first_moment():
    assert span_of(" 2021-06 ", "after") == (D(2021, 6, 1), D(2021, 7, 1))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("on", "2021", F(after=D(2021, 1, 1), before=D(2022, 1, 1))),
        ("on", "2021-12", F(after=D(2021, 12, 1), before=D(2022, 1, 1))),
        ("on", "2021-02-28", F(after=D(2021, 2, 28), before=D(2021, 3, 1))),
        ("on", "9999-12-31", F(after=D(9999, 12, 31), before=D.max)),
        ("on", "9999", F(after=D(9999, 1, 1), before=D.max)),
        ("year", "2021", F(after=D(2021, 1, 1), before=D(2022, 1, 1))),
        ("year", "2019..2021", F(after=D(2019, 1, 1), before=D(2022, 1, 1))),
        ("month", "7", F(month=7)),
        ("month", "07", F(month=7)),
        ("month", "July", F(month=7)),
        ("month", "dec", F(month=12)),
        ("near", "38.71,-9.14,5", F(near=Near(38.71, -9.14, 5))),
        ("near", "38.71, -9.14", F(near=Near(38.71, -9.14, 1))),
        ("type", "JPG", F(kind="jpeg")),
        ("type", "heic", F(kind="heif")),
        ("type", "video", F(kind="video")),
        ("type", "dng", F(kind="raw")),
        ("type", "MOV", F(kind="quicktime")),
        ("rating", "4", F(rating=Bounds(4, 4))),
        ("rating", "3..5", F(rating=Bounds(3, 5))),
        ("rating", "4+", F(rating=Bounds(4, None))),
        ("rating", "4..", F(rating=Bounds(4, None))),
        ("rating", "..2", F(rating=Bounds(None, 2))),
        ("rating", ">3", F(rating=Bounds(4, None))),
        ("rating", "<3", F(rating=Bounds(None, 2))),
        ("rating", ">=3", F(rating=Bounds(3, None))),
        ("rating", "<=3", F(rating=Bounds(None, 3))),
        ("rating", "-1", F(rating=Bounds(-1, -1))),
        ("width", ">3.5", F(width=Bounds(4, None))),
        ("height", "<3.5", F(height=Bounds(None, 3))),
        ("orientation", "Portrait", F(orientation="portrait")),
        ("is", "favourite", F(favourite=True)),
        ("is", "favorite", F(favourite=True)),
        ("is", "raw", F(kind="raw")),
        ("is", "landscape", F(orientation="landscape")),
        ("has", "gps", F(has=("gps",))),
        ("has", "location", F(has=("gps",))),
        ("duplicate", "no", F(copies=False)),
        ("duplicate", "yes", F(copies=True)),
        ("keyword", " dune ", F(keywords=("dune",))),
        ("text", " Anna's wedding ", F(texts=("Anna's wedding",))),
        ("tag", "animal/dog", F(tags=(("animal", "dog"),))),
        ("name", "IMG_*", F(name="IMG_*")),
    ],
)
def test_a_value_is_read(name, value, expected):
    assert condition(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("year", "2021"), ("year", "2019..2021"), ("after", "2021-06"), ("on", "2021-06-30"), ("month", "07"),
        ("near", "38.71,-9.14,5"), ("rating", "3..5"), ("rating", ">=4"), ("width", "3000+"), ("height", "..200"),
    ],
)  # fmt: skip
def test_digits_of_another_keyboard_are_digits_in_all_of_them(name, value):
    for zero in "\uff10\u0660\u0966":  # wide, Arabic, Devanagari
        digits = {ord(str(digit)): ord(zero) + digit for digit in range(10)}
        assert condition(name, value.translate(digits)) == condition(name, value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("on", "soon", "on: wants a year"),
        ("year", "21", "year: wants a year or two"),
        ("year", "2021..2019", "ends before it begins"),
        ("year", "2021-06", "year: wants"),
        ("month", "13", "month: wants a month"),
        ("month", "ju", "month: wants"),
        ("month", "0", "month: wants"),
        ("near", "91,0", "near: wants a latitude"),
        ("near", "0,181", "near: wants"),
        ("near", "0,0,0", "near: wants"),
        ("near", "0,0,nan", "near: wants"),
        ("near", "nan,0", "near: wants"),
        ("near", "3_8,-9", "near: wants"),
        ("near", "0", "near: wants"),
        ("near", "0,0,1,1", "near: wants"),
        ("rating", "", "rating: wants a number or bounds"),
        ("rating", "many", "rating: wants"),
        ("rating", "9", "rating: stars go from 1 to 5, 0 is none and -1 rejected; not '9'"),
        ("rating", "2..6", "stars go from 1 to 5"),
        ("rating", ">5", "stars go from 1 to 5"),
        ("rating", "-2+", "stars go from 1 to 5"),
        ("after", "2021-13-40", "not '2021-13-40': there is no month 13, they go from 01 to 12"),
        ("before", "2021-00", "there is no month 0"),
        ("on", "2021-02-30", "not '2021-02-30': February 2021 has no day 30, they go from 01 to 28"),
        ("on", "2024-02-0", "February 2024 has no day 0, they go from 01 to 29"),
        ("after", "0000-13", "there is no year 0"),
        ("rating", "..", "rating: wants"),
        ("rating", "5..3", "ends below its beginning"),
        ("rating", "+4", "rating: wants"),
        ("rating", "3+5", "rating: wants"),
        ("rating", "²", "rating: wants"),
        ("rating", "3-5", "rating: wants"),
        ("width", "1000-2000", "width: wants"),
        ("width", "12345678901", "width: wants"),
        ("rating", "1.52.5", "rating: wants"),
        ("type", "\udcff", "type: does not know"),
        ("width", "9" * 400, "not '999"),
        ("orientation", "round", "is landscape, portrait or square"),
        ("is", "nice", "does not know 'nice'.*is:favourite"),
        ("has", "wings", "does not know 'wings'.*has:gps"),
        ("has", "", "has: needs a word"),
        ("duplicate", "maybe", "is yes .* or no"),
        ("tag", "a//b", "tag: a level of a tag is empty"),
        ("camera", " ", "camera: needs a name"),
        ("colour", "red", "no filter is called 'colour'"),
    ],
)
def test_a_value_that_is_none_is_said(name, value, said):
    with pytest.raises(QueryError, match=said) as caught:
        condition(name, value)
    assert len(str(caught.value)) < 350


def test_every_name_is_read_and_has_an_error_or_takes_any_text():
    for name in NAMES:
        try:
            assert condition(name, "?!")
        except QueryError as error:
            assert str(error).startswith(f"{name}:")
    assert all(condition("has", name) == F(has=(name,)) for name in HAS)


def test_fields_make_one_filter():
    assert filter_of(
        {"camera": "canon", "tag": ["a", "b"], "place": None, "is": [], "lens": " "}, ["type:video", ""]
    ) == F(camera="canon", tags=(("a",), ("b",)), without=(F(kind="video"),))
    with pytest.raises(QueryError, match="no photo can be both"):
        filter_of({"after": "2021", "before": "2020"})


@pytest.mark.parametrize("text", ["dog", "camera:canon dog", "", "- dog"])
def test_what_is_no_filter_alone_excludes_nothing(text):
    with pytest.raises(QueryError, match="is no filter"):
        parse_filter(text)
