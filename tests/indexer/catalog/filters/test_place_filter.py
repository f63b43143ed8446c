"""Which places a filter means."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.catalog.filters.place_filter import matching
from indexer.catalog.filters.words import folded

PLACES = [
    (1, "Paris", "Île-de-France", "France"),
    (2, "Paris", "Texas", "United States"),
    (3, "New York City", "New York", "United States"),
    (4, "Zürich (Kreis 1) / Lindenhof", "Zurich", "Switzerland"),
    (5, "Łódź", "Łódź Voivodeship", "Poland"),
    (6, "", "", "Côte d'Ivoire"),
    (7, "東京", "", "Japan"),
]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("paris", [1, 2]), ("PARIS", [1, 2]), ("Paris, France", [1]), ("united states, paris", [2]), ("France", [1]),
        ("ile de france", [1]), ("Île-de-France", [1]), ("I\u0302le", [1]), ("new york", [3]), ("york", [3]),
        ("new", [3]),
        ("new city", []), ("yor", []), ("zurich", [4]), ("Zürich", [4]), ("lodz", [5]), ("cote d'ivoire", [6]),
        ("東京", [7]), ("", []), (" , ", []), ("%", []), ("Paris,", [1, 2]), ("Paris, Poland", []),
    ],
)  # fmt: skip
def test_words_that_stand_together_in_a_name(wanted, expected):
    assert list(matching(wanted, PLACES)) == expected


@given(st.text(max_size=30))
@example("ℕ")
def test_folding_twice_is_folding_once_and_a_name_means_itself(text):
    assert folded(" ".join(folded(text))) == folded(text)
    assert list(matching(text.replace(",", " "), [(1, text, "", "")])) == (
        [1] if folded(text.replace(",", " ")) else []
    )
