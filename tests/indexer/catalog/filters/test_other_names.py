"""What cities and countries are also called."""

import gzip

import pytest

from indexer.catalog.filters.other_names import FILE, called
from indexer.catalog.filters.words import folded
from indexer.metadata import places


def test_a_name_stands_for_all_cities_and_countries_that_go_by_it():
    vienna, state = called(("wien",))
    assert {"wien", "vienna", "viyana"} <= vienna.names
    assert {"austria", "osterreich", "at"} <= vienna.countries
    assert state.cities == frozenset()
    assert {"wien", "vienna", "bundesland wien"} <= state.regions
    (bavaria,) = called(("bayern",))
    assert {"bayern", "bavaria"} <= bavaria.names == bavaria.regions
    (germany,) = called(("allemagne",))
    assert germany.cities == frozenset()
    assert {"germany", "deutschland", *folded("ドイツ"), "de", "deu"} <= germany.names
    assert called(()) == called(("zzzzz",)) == called(("monaco", "di")) == ()


@pytest.mark.parametrize("name", ["\t", "\n", "=DE", "=", "~DE", "~", "de\tgermany", "~DE\tbavaria"])
def test_what_is_no_name_finds_none(name):
    assert called((name,)) == ()


def test_a_name_that_a_larger_city_goes_by_means_that_one_alone():
    paris = [other for other in called(("paris",)) if "za" in other.countries]
    assert paris == []  # Parys, of a few ten thousand people, is called so in some languages


def test_every_name_is_written_as_filters_compare_it_and_every_country_of_places_is_known():
    with gzip.open(FILE, "rt", encoding="utf-8", newline="\n") as lines:
        rows = [line.removesuffix("\t\n").split("\t") for line in lines]
    countries = {code for code, *_ in rows if code.startswith("=")}
    regions = [(code[1:], name) for code, name, *_ in rows if code.startswith("~")]
    assert (len(rows) - len(countries) - len(regions), len(regions), len(countries)) == (47_546, 3_193, 252)
    assert {code.strip("~+") for code, *_ in rows} - countries <= {code[1:] for code in countries}
    assert all(" ".join(folded(name)) == name for _, *names in rows[::50] for name in names)
    listed = {place.country for place in places._gazetteer().places}
    regions_listed = {" ".join(folded(place.region)) for place in places._gazetteer().places}
    assert {name for _, name in regions} <= regions_listed
    cities = {name for code, name, *_ in rows if code not in countries and not code.startswith("~")}
    called_so = {name for code, *names in rows if code.startswith("~") for name in names[1:]}
    assert called_so & (cities | regions_listed) == set()  # such a name means the city, or the region, that has it
    assert [country for country in listed if not any(not other.cities for other in called(folded(country)))] == []
