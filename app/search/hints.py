"""What may have been meant where nothing was found: folders of nearly the names that were asked for. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath

from indexer.catalog.filters.folder_filter import folded, matching
from indexer.catalog.photo_filter import PhotoFilter

MOST = 3  # that are named
LEAST = 3  # letters that a name must have to be found within another


def hint_of(wanted: PhotoFilter, folders: Callable[[], Sequence[tuple[str, str]]]) -> str | None:
    """What may have been meant by a filter that passes nothing, within OR and parentheses too; None where nothing is.

    Args:
        wanted: the filter.
        folders: as of `folder_hint`; asked once.
    """
    known: list[Sequence[tuple[str, str]]] = []

    def asked() -> Sequence[tuple[str, str]]:
        known[:] = known or [folders()]
        return known[0]

    hints = dict.fromkeys(folder_hint(folder, asked) for folder in _folders(wanted))
    return " ".join(hint[:1].upper() + hint[1:] if at else hint for at, hint in enumerate(filter(None, hints))) or None


def _folders(wanted: PhotoFilter) -> Iterator[str]:
    """The folders that a photo may have to be in; not those that it must not be in."""
    if wanted.folder:
        yield wanted.folder
    for group in wanted.either:
        for one in group:
            yield from _folders(one)


def folder_hint(wanted: str | None, folders: Callable[[], Sequence[tuple[str, str]]]) -> str | None:
    """A sentence that names the nearest folders; None where no folder was asked for, or it is there.

    Args:
        wanted: the folder of the filter.
        folders: gives all folders with photos, as a root and the path below it; asked only when needed.
    """
    names = folded(wanted or "")
    if not wanted or not names:
        return None
    known = folders()
    if any(True for _ in matching(wanted, ((number, *folder) for number, folder in enumerate(known)))):
        return None  # something else stood in the way
    shown = {name: path for root, path in known for name, path in _ways(root, path)}
    last = names[-1]
    near = [name for name in shown if last in name or (len(name) >= LEAST and name in last)]
    near += [name for name in difflib.get_close_matches(last, shown, n=MOST) if name not in near]
    near.sort(key=lambda name: -difflib.SequenceMatcher(None, last, name).ratio())
    said = f"no folder is called {wanted!r}."
    return f"{said} Near to it are {', '.join(repr(shown[name]) for name in near[:MOST])}." if near else said


def _ways(root: str, path: str) -> list[tuple[str, str]]:
    """The names of a root and of the folders below it, as they are compared and as they are written."""
    return [(folded(name)[0], name) for name in (PurePath(root).name, *path.split("/")) if name]
