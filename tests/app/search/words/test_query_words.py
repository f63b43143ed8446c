"""Which words of a query a photo has to carry."""

from pathlib import Path

import pytest

from app.search.language.parsing import parse
from app.search.query import Query
from app.search.words.query_words import MOST_WORDS, subtracted, wanted


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("thompson springs", [("thompson",), ("springs",)]),
        ("a photo of two dogs on a beach", [("two",), ("dogs",), ("beach",)]),
        ("a", []),
        ("the photos", []),
        ("", []),
        ("?!", []),
        ("dog dog, DOG", [("dog",)]),
        ("IMG_1234.jpg", [("img", "1234", "jpg")]),
        ('"IMG_1234"', [("img", "1234")]),
        ("Anna's wedding", [("anna", "s"), ("wedding",)]),
        ("München", [("munchen",)]),
        ("東京タワー", [tuple("東京タワー")]),
        ("beach + dunes", [("beach",), ("dunes",)]),
        ("2:beach", [("beach",)]),
        ("beach - people", [("beach",)]),
        ("- people", []),
        ("beach after:2021", [("beach",)]),
    ],
)
def test_all_but_common_words_have_to_be_carried(typed, words):
    assert wanted(parse(typed)) == words


def test_a_picture_is_looked_for_by_no_words():
    assert wanted(Query(text="red", image=Path("x.jpg"))) == []
    assert wanted(parse("red + image:x.jpg", pictures=True)) == []
    assert wanted(parse("red - image:x.jpg", pictures=True)) == [("red",)]


def test_a_description_of_many_words_is_none_to_be_carried():
    text = " ".join(f"word{number}" for number in range(MOST_WORDS))
    assert len(wanted(Query(text=text))) == MOST_WORDS
    assert wanted(Query(text=f"{text} more")) == []


def test_a_minus_takes_words_away():
    assert subtracted(parse("beach - two people -a -dog")) == [[("dog",)], [("two",), ("people",)]]
    assert subtracted(parse("beach NOT people")) == []
