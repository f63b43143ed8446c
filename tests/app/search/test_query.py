"""The query language, as a table and as properties."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.search.query import MAX_TEXT, make_filter, merge, parse, parse_date
from indexer.catalog.records import PhotoFilter
from indexer.errors import QueryError

D = datetime


@pytest.mark.parametrize(
    ("typed", "words", "expected"),
    [
        ("two dogs on a beach", "two dogs on a beach", PhotoFilter()),
        ("  two\t dogs\n", "two dogs", PhotoFilter()),
        ("", "", PhotoFilter()),
        ("dog after:2021", "dog", PhotoFilter(after=D(2021, 1, 1))),
        ("after:2021-06 dog", "dog", PhotoFilter(after=D(2021, 6, 1))),
        ("red after:2021-06-30 dog", "red dog", PhotoFilter(after=D(2021, 6, 30))),
        ("dog before:2021", "dog", PhotoFilter(before=D(2021, 1, 1))),
        ("dog before:2021-6-3", "dog", PhotoFilter(before=D(2021, 6, 3))),
        ("AFTER:2020 Before:2021 dog", "dog", PhotoFilter(after=D(2020, 1, 1), before=D(2021, 1, 1))),
        ("dog folder:Holiday", "dog", PhotoFilter(folder="Holiday")),
        ("dog folder:/data/Holiday/Beach", "dog", PhotoFilter(folder="/data/Holiday/Beach")),
        ('folder:"Summer 2021" dog', "dog", PhotoFilter(folder="Summer 2021")),
        ("folder:“Summer 2021” dog", "dog", PhotoFilter(folder="Summer 2021")),
        ('folder:"Summer 2021"', "", PhotoFilter(folder="Summer 2021")),
        ('dog after:"2021"', "dog", PhotoFilter(after=D(2021, 1, 1))),
        ("dog place:Lisbon", "dog", PhotoFilter(place="Lisbon")),
        ('PLACE:"New York" dog folder:Trip', "dog", PhotoFilter(place="New York", folder="Trip")),
        ("marketplace:Lisbon", "marketplace:Lisbon", PhotoFilter()),
        ("folder:50%_off", "", PhotoFilter(folder="50%_off")),
        ("a 16:9 screen", "a 16:9 screen", PhotoFilter()),
        ("title:dune", "title:dune", PhotoFilter()),
        ("the day after tomorrow", "the day after tomorrow", PhotoFilter()),
        ("hereafter:2021", "hereafter:2021", PhotoFilter()),
        ('"quoted words" stay', '"quoted words" stay', PhotoFilter()),
        ("hund 🐕 im schnee כלב", "hund 🐕 im schnee כלב", PhotoFilter()),
    ],
)
def test_words_and_filters_are_told_apart(typed, words, expected):
    assert parse(typed) == (words, expected)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("dog after:yesterday", "after: wants a year, a month or a day.*not 'yesterday'"),
        ("dog after:", "after: wants.*not ''"),
        ("dog after: 2021", "after: wants"),
        ("dog after:2021-13", "not '2021-13'"),
        ("dog before:2021-02-30", "before:.*not '2021-02-30'"),
        ("dog after:0000", "not '0000'"),
        ("dog after:21", "not '21'"),
        ("dog after:2021-06-30T10:00", "not '2021-06-30T10:00'"),
        ("dog folder:", "folder: needs a name"),
        ('dog folder:""', "folder: needs a name"),
        ('dog folder:"Summer 2021', "never closed"),
        ("dog place:", "place: needs a name.*place:Lisbon"),
        ('dog place:" "', "place: needs a name"),
        ("place:a place:b", "place: stands twice"),
        ("after:2020 after:2021", "after: stands twice"),
        ("folder:a folder:b", "folder: stands twice"),
        ("after:2021 before:2020", "no photo can be both from 2021-01-01 on and before 2020-01-01"),
        ("after:2021 before:2021", "no photo can be both"),
        ("x" * (MAX_TEXT + 1), "has 10,001 characters; at most 10,000"),
        ("after:" + "9" * 9000, "not '9999"),
    ],
)
def test_what_cannot_be_understood_is_said_in_a_short_sentence(typed, said):
    with pytest.raises(QueryError, match=said) as caught:
        parse(typed)
    assert len(str(caught.value)) < 250


def test_a_text_of_the_largest_length_is_taken():
    assert parse("x" * MAX_TEXT)[0] == "x" * MAX_TEXT


def test_bytes_that_were_no_text_become_text_in_words_and_stay_in_a_folder():
    words, wanted = parse("caf\udce9 folder:caf\udce9")
    assert (words, wanted.folder) == ("caf?", "caf\udce9")


@given(st.text(max_size=300))
def test_any_text_is_parsed_or_refused_and_parsed_words_hold_no_filter(typed):
    try:
        words, _ = parse(typed)
    except QueryError:
        return
    words.encode()
    assert parse(words) == (words, PhotoFilter())


@given(
    st.lists(st.sampled_from(["red", "dog", "16:9", "-", "é", "a"]), max_size=6),
    st.dates(min_value=D(1900, 1, 1).date()),
    st.text(alphabet="abc XY/_%é", min_size=1).filter(str.strip),
    st.integers(0, 6),
)
def test_filters_may_stand_anywhere_among_the_words(words, day, folder, at):
    tokens = [*words[:at], f"after:{day.isoformat()}", f'folder:"{folder}"', *words[at:]]
    assert parse(" ".join(tokens)) == (
        " ".join(words),
        PhotoFilter(after=D(day.year, day.month, day.day), folder=folder),
    )


def test_filters_from_two_places_both_hold():
    first, second = make_filter(after="2019", folder="A"), make_filter(after="2020-05", before="2022")
    assert merge(first, second) == PhotoFilter(after=D(2020, 5, 1), before=D(2022, 1, 1), folder="A")
    assert merge(second, first) == merge(first, second)


def test_two_different_folders_cannot_both_hold():
    with pytest.raises(QueryError, match="two folders are asked for, 'A' and 'B'"):
        merge(make_filter(folder="A"), make_filter(folder="B"))


def test_two_different_places_cannot_both_hold():
    assert merge(make_filter(place="A"), make_filter(folder="B")) == PhotoFilter(place="A", folder="B")
    with pytest.raises(QueryError, match="two places are asked for, 'A' and 'B'"):
        merge(make_filter(place="A"), make_filter(place="B"))


def test_filters_that_exclude_each_other_are_noticed_when_merged():
    with pytest.raises(QueryError, match="Exchange the two dates"):
        merge(make_filter(after="2022"), make_filter(before="2021"))


def test_a_date_is_its_first_moment():
    assert parse_date(" 2021-06 ", "after") == D(2021, 6, 1)
