"""Decides which places a `place:` filter means, by their names and by what they are also called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from indexer.catalog.filters.other_names import called
from indexer.catalog.filters.words import Words, contains, folded

_Names = tuple[Words, ...]


def matching(wanted: str, places: Iterable[tuple[int, str, str, str]]) -> Iterator[int]:
    """Give the numbers of the places that are meant; `places` are (number, city, region, country).

    Whole words that stand together in one of the names, or all of another name of one; each part
    between commas must be found ("Paris, France"). Upper and lower case are the same, and so are letters with and
    without their accents.
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
        self._called: defaultdict[str, list[int]] = defaultdict(list)  # a whole name -> places in the list
        for at, (_, names) in enumerate(self._places):
            for word in {word for name in names for word in name}:
                self._with[word].append(at)
            for name in {" ".join(name) for name in names if name}:
                self._called[name].append(at)

    def matching(self, wanted: str) -> Sequence[int]:
        """Give the numbers that the function of this name gives, after a look at few places."""
        parts = _parts(wanted)
        if not parts:
            return []
        near = set.intersection(*map(self._near, parts))
        meant = (self._places[at] for at in sorted(near))
        return [number for number, names in meant if _is_meant(names, parts)]

    def _near(self, part: Words) -> set[int]:
        """Places in the list, all among them that one part means."""
        near = set.intersection(*(set(self._with.get(word, ())) for word in part))
        for other in called(part):
            for name in other.names & self._called.keys():
                near.update(self._called[name])
        return near


def _parts(wanted: str) -> list[Words]:
    return [part for part in map(folded, wanted.split(",")) if part]


def _is_meant(names: _Names, parts: list[Words]) -> bool:
    return all(_says(names, part) for part in parts)


def _says(names: _Names, part: Words) -> bool:
    if any(contains(name, part) for name in names):
        return True
    others = called(part)
    return bool(others) and any(other.mean(*map(" ".join, names)) for other in others)
