"""Decides which places a `place:` filter means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from indexer.catalog.filters.words import contains, folded


def matching(wanted: str, places: Iterable[tuple[int, str, str, str]]) -> Iterator[int]:
    """Give the numbers of the places that are meant; `places` are (number, city, region, country).

    Whole words that stand together in one of the names; each part between commas must be found ("Paris, France").
    Upper and lower case are the same, and so are letters with and without their accents.
    """
    parts = [part for part in map(folded, wanted.split(",")) if part]
    for number, *written in places if parts else ():
        names = [folded(name) for name in written]
        if all(any(contains(name, part) for name in names) for part in parts):
            yield number
