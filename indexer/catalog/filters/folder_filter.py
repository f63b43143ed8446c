"""Decides which folders a `folder:` filter means. Pure but for one look at links in an absolute path; no queries."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_Names = tuple[str, ...]


def matching(wanted: str, folders: Iterable[tuple[int, str, str]]) -> Iterator[int]:
    """Give the numbers of the folders that are meant; `folders` are (number, root, path below the root).

    An absolute folder means itself and what lies below it. Anything else is a sequence of whole folder names that may
    stand anywhere. Upper and lower case, and the two ways to write an accent, are the same.
    """
    starts, anywhere = _starts(wanted), folded(wanted)
    roots: dict[str, _Names] = {}
    for number, root, path in folders:
        names = roots.setdefault(root, folded(root)) + folded(path)
        if any(names[: len(start)] == start for start in starts) if starts else _contains(names, anywhere):
            yield number


def folded(path: str) -> _Names:
    """Give the names in a path in the form in which they are compared."""
    if os.sep != "/":
        path = path.replace(os.sep, "/")
    return tuple(unicodedata.normalize("NFC", name).casefold() for name in path.split("/") if name)


def _starts(wanted: str) -> list[_Names]:
    """Give the beginnings that an absolute folder allows: as it is written, and where its links lead."""
    path = Path(wanted)
    if not path.is_absolute():
        return []
    starts = [folded(os.path.normpath(wanted))]
    with suppress(OSError, RuntimeError, ValueError):  # a loop of links, or a name that no file can have
        starts.append(folded(str(path.resolve())))
    return starts


def _contains(names: _Names, part: _Names) -> bool:
    return any(names[at : at + len(part)] == part for at in range(len(names) - len(part) + 1))
