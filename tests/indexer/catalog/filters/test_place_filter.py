"""Which places a filter means."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.catalog.filters.place_filter import PlaceNames, matching
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


CALLED = [
    (1, "Munich", "Bavaria", "Germany"),
    (2, "München", "Bayern", "Deutschland"),
    (3, "Vienna", "Virginia", "United States"),
    (4, "Favoriten", "Vienna", "Austria"),
    (5, "Lisboa", "", "Portugal"),
    (6, "Shinjuku", "Tokyo", "Japan"),
    (7, "東京都", "", ""),
    (8, "Moscow", "Moscow", "Russian Federation"),
    (9, "Seoul", "Seoul", "Korea, Republic of"),
    (10, "Wien", "", "Nowhere"),
    (11, "Siena", "Tuscany", "Italy"),
    (12, "Pisa", "Toscana", ""),
    (13, "Sapporo", "Hokkaido", "Japan"),
    (14, "", "Grisons", "Switzerland"),
    (15, "Bayern", "", "Nowhere"),
    (16, "Milan", "Lombardy", "Italy"),
]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("München", [1, 2]), ("munchen", [1, 2]), ("Muenchen", [1, 2]), ("MUNICH", [1, 2]),
        ("Monaco di Baviera", [1, 2]),
        ("Monaco", []), ("Wien", [4, 10]), ("Vienna", [3, 4]), ("Wien, Österreich", [4]), ("Vienna, USA", [3]),
        ("Lisbon", [5]), ("Lissabon", [5]), ("Lisbon, Portogallo", [5]), ("Lisbon, France", []),
        ("東京", [6, 7]), ("Tokyo", [6, 7]), ("Токио", [6, 7]), ("Russia", [8]), ("Россия", [8]), ("South Korea", [9]),
        ("Deutschland", [1, 2]), ("Allemagne", [1, 2]), ("Germany, Munich", [1, 2]), ("Munich, DE", [1, 2]),
        ("Bayern", [1, 2, 15]), ("Bavaria", [1, 2]), ("BAYERN, Allemagne", [1, 2]), ("Bavaria, France", []),
        ("Toscana", [11, 12]), ("tuscany", [11, 12]), ("Toscana, Italia", [11]), ("北海道", [13]), ("Graubünden", [14]),
        ("Grigioni", [14]), ("Grischun, CH", [14]), ("Freiburg", []), ("Lombardia", [16]),
    ],
)  # fmt: skip
def test_places_go_by_their_names_in_every_language(wanted, expected):
    assert list(matching(wanted, CALLED)) == expected


WORDS = ["Wien", "Vienna", "Austria", "Österreich", "Tokyo", "new", "York", "USA", "Lisboa", "Bayern", "Bavaria"]


@given(st.lists(st.sampled_from(WORDS)))
def test_places_made_ready_say_the_same(parts):
    for wanted in (", ".join(parts), " ".join(parts)):
        for places in (PLACES, CALLED):
            assert list(PlaceNames(places).matching(wanted)) == list(matching(wanted, places))


@given(st.text(max_size=30))
@example("ℕ")
def test_folding_twice_is_folding_once_and_a_name_means_itself(text):
    assert folded(" ".join(folded(text))) == folded(text)
    assert list(matching(text.replace(",", " "), [(1, text, "", "")])) == (
        [1] if folded(text.replace(",", " ")) else []
    )


@pytest.mark.parametrize(
    ("wanted", "city", "region", "country"),
    [
        ("Mexico City", "Toluca", "México", "Mexico"),  # which the city is called as well, like its country's regions
        ("Bozeman", "St. Louis", "Missouri", "United States"),
        ("Washington D.C.", "Seattle", "Washington", "United States"),
        ("New York", "York", "Pennsylvania", "United States"),
        ("New York City", "Buffalo", "New York", "United States"),
        ("Recife", "Olinda", "Pernambuco", "Brazil"),
        ("Male", "Bamako", "Bamako", "Mali"),  # names of countries in some language that are cities' own
        ("Kota", "Doha", "Doha", "Qatar"),
        ("Uman", "Muscat", "Muscat", "Oman"),
        ("Fuji", "Suva", "Central", "Fiji"),
        ("Tampere", "Nokia", "Pirkanmaa", "Finland"),  # which the region is called as well, like its city
        ("Boston", "", "Ebon Atoll", "Marshall Islands"),  # which a region elsewhere is called as well
        ("Columbus", "Tocoa", "Colón Department", "Honduras"),
        ("Seaside", "Jurmala", "Jūrmala", "Latvia"),
        ("Freiburg", "Bulle", "Fribourg", "Switzerland"),
        ("Oak", "", "Dâmboviţa County", "Romania"),  # a word of names in many countries
        ("Beach", "", "Praia", "Cape Verde"),  # a village's own name, and no official one of the region
        ("Sicily", "Geneva", "Geneva", "Switzerland"),
    ],
)
def test_a_name_finds_no_place_that_merely_shares_a_name_with_what_it_means(wanted, city, region, country):
    places = [(1, city, region, country)]
    assert list(matching(wanted, places)) == []
    assert PlaceNames(places).matching(wanted) == []
