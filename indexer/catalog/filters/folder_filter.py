"""Decides which folders a `folder:` filter means. Pure but for one look at links in an absolute path; no queries."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
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
    return (number for number, names in _named(folders) if _is_meant(names, starts, anywhere))


def _named(folders: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, _Names]]:
    roots: dict[str, _Names] = {}
    for number, root, path in folders:
        yield number, roots.setdefault(root, folded(root)) + folded(path)


def _is_meant(names: _Names, starts: list[_Names], anywhere: _Names) -> bool:
    return any(names[: len(start)] == start for start in starts) if starts else _contains(names, anywhere)


class FolderNames:
    """Folders, made ready to be asked many times."""

    def __init__(self, folders: Iterable[tuple[int, str, str]]) -> None:
        """Take folders as (number, root, path below the root)."""
        self._folders = list(_named(folders))
        self._with: defaultdict[str, list[int]] = defaultdict(list)  # a name -> places in the list
        for place, (_, names) in enumerate(self._folders):
            for name in set(names):
                self._with[name].append(place)

    def matching(self, wanted: str) -> Iterator[int]:
        """Give the numbers that the function of this name gives, after a look at few folders."""
        starts, anywhere = _starts(wanted), folded(wanted)
        near = (one for names in starts or [anywhere] for one in self._having(names))
        return iter({number: None for number, names in near if _is_meant(names, starts, anywhere)})

    def _having(self, names: _Names) -> Iterable[tuple[int, _Names]]:
        """The folders that have the last of the names somewhere; all where there is none."""
        return [self._folders[place] for place in self._with.get(names[-1], ())] if names else self._folders


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
    with suppress(OSError, ValueError):  # a name that no file can have
        starts.append(folded(os.path.realpath(path)))
    return starts


def _contains(names: _Names, part: _Names) -> bool:
    return any(names[at : at + len(part)] == part for at in range(len(names) - len(part) + 1))
