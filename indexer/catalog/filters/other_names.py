"""What cities and countries are also called: in their own language, in English and in others, out of GeoNames and CLDR.

The names stand in `data/place_names.tsv.gz`, which is read when the first of them is asked for. Which places a filter
means is decided elsewhere (`place_filter.py`); regions are known by the names of a city that is called as they are.
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
    """All names of a country, or of a city and the country in which it lies, each as words with a blank between."""

    countries: frozenset[str]
    cities: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """Those of the city, or of the country where it is one."""
        return self.cities or self.countries

    def mean(self, city: str, region: str, country: str) -> bool:
        """Whether a place is that country, or in that city or the region of its name; "" where a name is unknown."""
        if not self.cities:
            return country in self.countries
        return (city in self.cities or region in self.cities) and (not country or country in self.countries)


@lru_cache(_REMEMBERED)
def called(name: Words) -> tuple[OtherNames, ...]:
    """The countries and cities of which this is a whole name, in any language that is known."""
    return tuple(_called(" ".join(name))) if name else ()


def _called(name: str) -> Iterator[OtherNames]:
    table, countries = _table()
    sought = f"\t{name}\t".encode()
    at = table.find(sought)
    while at >= 0:
        start, end = table.rfind(b"\n", 0, at + 1) + 1, table.find(b"\n", at)
        code, *names = table[start:end].decode().rstrip("\t").split("\t")
        if code.startswith("="):
            yield OtherNames(countries[code[1:]])
        else:
            yield OtherNames(countries[code], frozenset(names))
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
