"""What cities, regions and countries are also called: in their own language, in English, most of them in others.

The names stand in `data/place_names.tsv.gz`, which is read when the first of them is asked for; the README beside it
says whose they are. Which places a filter means is decided elsewhere (`place_filter.py`).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from indexer.catalog.filters.words import Words

FILE = Path(__file__).parent / "data" / "place_names.tsv.gz"
_REMEMBERED = 256  # names that were asked for


@dataclass(frozen=True)
class OtherNames:
    """All names of a country, or of a city or region and the country of it, each as words with a blank between.

    Attributes:
        countries: those of the country.
        cities: those of the city, nothing for a region or country.
        regions: those of the region; of a city that of the region which is called as the city in it is, as Vienna is.
    """

    countries: frozenset[str]
    cities: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """Those of the city, else of the region, else of the country."""
        return self.cities or self.regions or self.countries

    def mean(self, city: str, region: str, country: str) -> bool:
        """Whether a place is in that country, region or city, or its region of that name; "" where one is unknown."""
        if not (self.cities or self.regions):
            return country in self.countries
        return (city in self.cities or region in self.regions) and (not country or country in self.countries)


@lru_cache(_REMEMBERED)
def called(name: Words) -> tuple[OtherNames, ...]:
    """The countries, regions and cities of which this is a whole name, in any language that is known.

    A country's name in some language that is a city's own name elsewhere means the city: `male` is the capital of the
    Maldives, though Mali is called so too. The name by which places are listed means the country in any case.
    """
    wanted = " ".join(name)
    found = [_names(code, names) for code, names in _with(wanted)] if name else []
    own = {one.countries for one, first in found if one.cities and first == wanted}
    return tuple(
        one for one, first in found if one.cities or one.regions or not own or first == wanted or one.countries in own
    )


def _names(code: str, names: list[str]) -> tuple[OtherNames, str]:
    """What a line says, and its first name: a city's own, or that by which places of a region or country are listed."""
    countries = _table()[1][code.strip("=~+")]
    if code.startswith("="):
        return OtherNames(countries), names[0]
    if code.startswith("~"):
        return OtherNames(countries, regions=frozenset(names)), names[0]
    own_region = frozenset(names[:1] if code.endswith("+") else ())
    return OtherNames(countries, frozenset(names), own_region), names[0]


def _with(name: str) -> Iterator[tuple[str, list[str]]]:
    """The lines that have a name: their codes and names."""
    table, _ = _table()
    sought = f"\t{name}\t".encode()
    at = table.find(sought)
    while at >= 0:
        start, end = table.rfind(b"\n", 0, at + 1) + 1, table.find(b"\n", at)
        code, *names = table[start:end].decode().rstrip("\t").split("\t")
        yield code, names
        at = table.find(sought, end)


@cache
def _table() -> tuple[bytes, dict[str, frozenset[str]]]:
    """The whole file, and the names of countries by their codes."""
    table = gzip.decompress(FILE.read_bytes())
    countries = {}
    for line in table[: table.find(b"\n", table.rfind(b"\n=") + 1)].decode().splitlines():
        code, *names = line.rstrip("\t").split("\t")
        countries[code[1:]] = frozenset(names)
    return table, countries
