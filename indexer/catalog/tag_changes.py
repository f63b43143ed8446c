"""What a person renamed, merged and deleted, as a setting of the library: vocabularies and imports follow it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps, loads
from typing import Any

from indexer.catalog.tag_records import TagPath

SETTING = "tag changes"
Change = tuple[TagPath, TagPath | None]
"""A tag, with what lies under it, and where that stands now; None where it was deleted."""


def now(path: TagPath, changes: Sequence[Change]) -> TagPath | None:
    """Where a tag stands after these changes, the earliest first; None where it was deleted."""
    for old, new in changes:
        if path[: len(old)] == old:
            if new is None:
                return None
            path = new + path[len(old) :]
    return path


def written(changes: Sequence[Change]) -> str:
    """The changes as text, which `read` reads."""
    return dumps(changes)


def read(text: str | None) -> list[Change]:
    """The changes that a text holds.

    Raises:
        ValueError: it is damaged.
    """
    kept = loads(text or "[]")
    if not isinstance(kept, list) or not all(isinstance(one, list) and len(one) == 2 for one in kept):
        raise ValueError("no list of pairs")
    return [(_path(old), None if new is None else _path(new)) for old, new in kept]


def _path(levels: Any) -> TagPath:
    if not isinstance(levels, list) or not levels or not all(isinstance(name, str) and name for name in levels):
        raise ValueError("no path of a tag")
    return tuple(levels)
