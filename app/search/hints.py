"""What may have been meant where nothing was found: folders, places, cameras and so on of nearly those names. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING

from indexer.catalog.filters import words
from indexer.catalog.filters.folder_filter import folded, matching
from indexer.catalog.photo_filter import PhotoFilter

if TYPE_CHECKING:
    from indexer.catalog.filters.known_names import Kind

MOST = 3  # that are named
LEAST = 3  # letters that a name must have to be found within another

Folders = Callable[[], Sequence[tuple[str, str]]]
"""Gives all folders with photos, as a root and the path below it; asked only when needed."""
Names = Callable[["Kind"], Sequence[str]]
"""Gives the names that photos have of one kind; asked only when needed."""


def hint_of(wanted: PhotoFilter, folders: Folders, names: Names) -> str | None:
    """What may have been meant by a filter that passes nothing, within OR too; None where nothing is known."""
    folders, names = cache(folders), cache(names)
    hints: dict[str | None, None] = {}
    for one in _asked_for(wanted):
        hints[folder_hint(one.folder, folders)] = None
        hints |= dict.fromkeys(name_hint(kind, name, names) for kind, name in _named(one))
    return " ".join(hint[:1].upper() + hint[1:] if at else hint for at, hint in enumerate(filter(None, hints))) or None


def _asked_for(wanted: PhotoFilter) -> Iterator[PhotoFilter]:
    """The filter, and those of which one must hold; not those that must not."""
    yield wanted
    for group in wanted.either:
        for one in group:
            yield from _asked_for(one)


def _named(wanted: PhotoFilter) -> Iterator[tuple[Kind, str]]:
    """The names that a photo must have; of a place each part between commas."""
    for part in (wanted.place or "").split(","):
        yield "place", part.strip()
    yield "camera", wanted.camera or ""
    yield "lens", wanted.lens or ""
    for keyword in wanted.keywords:
        yield "keyword", keyword
    for path in wanted.tags:
        for level in path:
            yield "tag", level


def name_hint(kind: Kind, wanted: str, names: Names) -> str | None:
    """A sentence that names the nearest of a kind; None where none was asked for, or there are such."""
    asked = " ".join(words.folded(wanted))
    if not asked:
        return None
    known = names(kind)
    shown = {" ".join(words.folded(name)): name for name in known}
    if asked in shown or (kind != "tag" and any(words.says(name, wanted) for name in known)):
        return None  # something else stood in the way
    if kind != "tag" and " " not in asked:  # a filter asks for whole names of tags, and for words of others
        shown = {" ".join(words.folded(word)): word for name in known for word in name.split()} | shown
    shown.pop("", None)
    return _said(kind, wanted, _near(asked, shown))


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
    near = [name for name in shown if asked in name or (len(name) >= LEAST and name in asked)]
    near += [name for name in difflib.get_close_matches(asked, shown, n=MOST) if name not in near]
    near.sort(key=lambda name: -difflib.SequenceMatcher(None, asked, name).ratio())
    return [shown[name] for name in near[:MOST]]


def _said(kind: str, wanted: str, near: Sequence[str]) -> str:
    said = f"no {kind} is called {wanted!r}."
    return f"{said} Near to it are {', '.join(map(repr, near))}." if near else said


def _ways(root: str, path: str) -> list[tuple[str, str]]:
    """The names of a root and of the folders below it, as they are compared and as they are written."""
    return [(folded(name)[0], name) for name in (PurePath(root).name, *path.split("/")) if name]
