"""What may have been meant where nothing was found: folders of nearly the name that was asked for. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import PurePath

MOST = 3  # that are named


def folder_hint(wanted: str | None, folders: Callable[[], Iterable[str]]) -> str | None:
    """A sentence that names the nearest folders; None where no folder was asked for, or none is near.

    Args:
        wanted: the folder of the filter.
        folders: gives the absolute paths of all folders with photos; asked only when needed.
    """
    if not wanted:
        return None
    known = {name.casefold(): name for path in folders() for name in PurePath(path).parts if name != "/"}
    last = PurePath(wanted).name.casefold()
    if last in known:  # it is there: something else stood in the way
        return None
    holding = [name for folded, name in known.items() if last and (last in folded or folded in last)]
    near = sorted(holding, key=len) or [known[name] for name in difflib.get_close_matches(last, known, n=MOST)]
    if not near:
        return f"no folder is called {wanted!r}."
    return f"no folder is called {wanted!r}. Near to it are {', '.join(map(repr, near[:MOST]))}."
