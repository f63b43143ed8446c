"""What may have been meant where nothing was found: folders, places, cameras and so on of nearly those names. Pure.

Names may be very many, and whoever asks may ask for many: a kind is made ready once, and what is compared is bounded.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING

from indexer.catalog.filters.folder_filter import folded, matching
from indexer.catalog.filters.other_names import called
from indexer.catalog.filters.words import SaidNames
from indexer.catalog.filters.words import folded as words_of
from indexer.catalog.photo_filter import PhotoFilter
from indexer.counted import counted

if TYPE_CHECKING:
    from indexer.catalog.filters.known_names import Kind
    from indexer.catalog.records import Counts

MOST = 3  # that are named
LEAST = 3  # letters that a name must have to be found within another
ASKED = 10  # names of a filter that are looked at
LONGEST = 60  # letters that are compared
MANY = 5_000  # names beyond which only those with the same first letter are compared

Folders = Callable[[], Sequence[tuple[str, str]]]
"""Gives all folders with photos, as a root and the path below it; asked only when needed."""
Names = Callable[["Kind"], Sequence[str]]
"""Gives the names that photos have of one kind; asked only when needed."""


class _Known:
    """The names of one kind, made ready to be asked for several times."""

    def __init__(self, kind: Kind, names: Sequence[str]) -> None:
        self._said = SaidNames(names)
        self._whole = {" ".join(words_of(name)): name for name in names}
        parts = (part for name in names if kind != "tag" for part in name.split())
        self._parts = {" ".join(words_of(part)): part for part in parts}
        self._is_place = kind == "place"
        self._is_tag = kind == "tag"  # a filter asks for whole names of tags, and for words of others

    def has(self, wanted: str) -> bool:
        """Whether a filter for it would find a photo."""
        if self._is_tag:
            return " ".join(words_of(wanted)) in self._whole
        others = called(words_of(wanted)) if self._is_place else ()
        return len(self._said.saying(wanted)) > 0 or any(self._whole.keys() & other.names for other in others)

    def near(self, wanted: str) -> list[str]:
        """Some that may have been meant."""
        asked = words_of(wanted)
        shown = self._whole if len(asked) > 1 else {**self._parts, **self._whole}
        return _near(" ".join(asked), shown)


def why_none(wanted: PhotoFilter | None, counts: Counts, embedded: int, folders: Folders, names: Names) -> str | None:
    """Why there is no photo to look at: the library has none, or no other one; else what may have been meant.

    Args:
        wanted: what a photo has to pass; None where nothing is asked for but to be another one.
        counts: of the whole library.
        embedded: how many of its photos the model that answers has embedded: no others are looked at.
        folders: as in `hint_of`.
        names: likewise.
    """
    if not counts.photos and counts.failed:
        none = counted(counts.failed, "file could not", "files could not")
        return f"the library holds no photos yet: {none} be read, and 'picsift status' says why."
    if not counts.photos:
        return "the library holds no photos yet. Run: picsift index FOLDER"
    left = counts.photos - embedded
    lacking = (
        f"{counted(left, 'photo is', 'photos are')} not embedded by the model that answers yet. Run: picsift index"
    )
    if embedded <= 0:
        return f"no photo can be searched yet: {lacking}"
    hint = "there is no other photo to compare with." if wanted is None else hint_of(wanted, folders, names)
    return " ".join(filter(None, (hint, lacking if left > 0 else None))) or None


def hint_of(wanted: PhotoFilter, folders: Folders, names: Names) -> str | None:
    """What may have been meant by a filter that passes nothing, within OR too; None where nothing is known."""
    folders = cache(folders)
    known = cache(lambda kind: _Known(kind, names(kind)))
    told = [
        *(folder_hint(one.folder, folders) for one in islice(_asked_for(wanted), ASKED)),
        *(_name_hint(kind, name, known) for kind, name in islice(_all_named(wanted), ASKED)),
    ]
    hints = list(dict.fromkeys(filter(None, told)))[:MOST]
    return " ".join(hint[:1].upper() + hint[1:] if at else hint for at, hint in enumerate(hints)) or None


def _asked_for(wanted: PhotoFilter) -> Iterator[PhotoFilter]:
    """The filter, and those of which one must hold; not those that must not."""
    yield wanted
    for group in wanted.either:
        for one in group:
            yield from _asked_for(one)


def _all_named(wanted: PhotoFilter) -> Iterator[tuple[Kind, str]]:
    """The names that a photo may have to have; of a place each part between commas."""
    for one in _asked_for(wanted):
        named: list[tuple[Kind, str]] = [("place", part.strip()) for part in (one.place or "").split(",")]
        named += [("camera", one.camera or ""), ("lens", one.lens or "")]
        named += [("keyword", keyword) for keyword in one.keywords]
        named += [("tag", level) for path in one.tags for level in path]
        yield from (each for each in named if words_of(each[1]))


def _name_hint(kind: Kind, wanted: str, known: Callable[[Kind], _Known]) -> str | None:
    """A sentence that names the nearest of a kind; None where there are such: something else stood in the way."""
    return None if known(kind).has(wanted) else _said(kind, wanted, known(kind).near(wanted))


def folder_hint(wanted: str | None, folders: Folders) -> str | None:
    """A sentence that names the nearest folders; None where no folder was asked for, or it is there."""
    names = folded(wanted or "")
    if not wanted or not names:
        return None
    known = folders()
    if any(True for _ in matching(wanted, ((number, *folder) for number, folder in enumerate(known)))):
        return None  # something else stood in the way
    shown = {name: path for root, path in known for name, path in _ways(root, path)}
    return _said("folder", wanted, _near(names[-1], shown))


def _near(asked: str, shown: Mapping[str, str]) -> list[str]:
    """Names near to what was asked for, as they are written, the nearest first."""
    if len(asked) > LONGEST:
        return []
    names = [name for name in shown if 0 < len(name) <= LONGEST]
    if len(names) > MANY:
        names = [name for name in names if name[0] == asked[0]]
    within = [name for name in names if asked in name or (len(name) >= LEAST and name in asked)]
    within.sort(key=lambda name: abs(len(name) - len(asked)))
    near = dict.fromkeys([*within[:MOST], *difflib.get_close_matches(asked, names[:MANY], n=MOST)])
    ranked = sorted(near, key=lambda name: -difflib.SequenceMatcher(None, asked, name).ratio())
    return list(dict.fromkeys(shown[name] for name in ranked))[:MOST]


def _said(kind: str, wanted: str, near: Sequence[str]) -> str:
    shown = wanted if len(wanted) <= LONGEST else f"{wanted[:LONGEST]}…"
    said = f"no {'photo has a tag' if kind == 'tag' else kind + ' is'} called {shown!r}."  # a tag may be nobody's
    return f"{said} Near to it are {', '.join(map(repr, near))}." if near else said


def _ways(root: str, path: str) -> list[tuple[str, str]]:
    """The names of a root and of the folders below it, as they are compared and as they are written."""
    return [(folded(name)[0], name) for name in (PurePath(root).name, *path.split("/")) if name]
