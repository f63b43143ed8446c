"""Decides which places a `place:` filter means. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from indexer.catalog.filters.words import Words, contains, folded

_Names = tuple[Words, ...]


def matching(wanted: str, places: Iterable[tuple[int, str, str, str]]) -> Iterator[int]:
    """Give the numbers of the places that are meant; `places` are (number, city, region, country).

    Whole words that stand together in one of the names; each part between commas must be found ("Paris, France").
    Upper and lower case are the same, and so are letters with and without their accents.
    """
    parts = _parts(wanted)
    for number, *written in places if parts else ():
        if _is_meant(tuple(map(folded, written)), parts):
            yield number


class PlaceNames:
    """Places, made ready to be asked many times."""

    def __init__(self, places: Iterable[tuple[int, str, str, str]]) -> None:
        """Take places as (number, city, region, country)."""
        self._places = [(number, tuple(map(folded, written))) for number, *written in places]
        self._with: defaultdict[str, list[int]] = defaultdict(list)  # a word -> places in the list
        for at, (_, names) in enumerate(self._places):
            for word in {word for name in names for word in name}:
                self._with[word].append(at)

    def matching(self, wanted: str) -> Sequence[int]:
        """Give the numbers that the function of this name gives, after a look at few places."""
        parts = _parts(wanted)
        if not parts:
            return []
        words = [self._with.get(word, []) for part in parts for word in part]
        if len(words) == 1:
            return [self._places[at][0] for at in words[0]]
        near = (self._places[at] for at in set(words[0]).intersection(*words[1:]))
        return [number for number, names in near if _is_meant(names, parts)]


def _parts(wanted: str) -> list[Words]:
    return [part for part in map(folded, wanted.split(",")) if part]


def _is_meant(names: _Names, parts: list[Words]) -> bool:
    return all(any(contains(name, part) for name in names) for part in parts)
