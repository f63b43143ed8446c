"""What a person renamed, merged and deleted, as a setting of the library: vocabularies and imports follow it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps, loads
from typing import Any

from indexer.catalog.tag_records import TagPath

SETTING = "tag changes"
Change = tuple[TagPath, TagPath | None]
"""A tag, with what lies under it, and where that stands now: None where it was deleted. All hold at once, and where one
speaks of a part of another's, it goes before that; one of a tag that stayed keeps it apart from the others."""


def now(path: TagPath, changes: Sequence[Change]) -> TagPath | None:
    """Where a tag stands: the change of the most of its levels says it. None where it was deleted."""
    rules = dict(changes)
    for length in range(len(path), 0, -1):
        if path[:length] in rules:
            new = rules[path[:length]]
            return None if new is None else new + path[length:]
    return path


def noted(changes: Sequence[Change], old: TagPath, new: TagPath | None, *, merged: bool = False) -> list[Change]:
    """The changes with one more. Each says where a tag went in all; what is back where it began is none.

    Args:
        changes: those before.
        old: as the tag was called last, with what lies under it.
        new: as it is called now, None where it is deleted.
        merged: there was a tag of the new name; a later change of that one is one of both.
    """
    rules = dict(changes)
    begun = [o + old[len(p) :] for o, p in changes if p is not None and old[: len(p)] == p]
    begun = [path for path in begun if now(path, changes) == old]  # the tags that are called so now
    after = {o: p if p is None or p[: len(old)] != old else _moved(p, old, new) for o, p in rules.items()}
    after |= dict.fromkeys(begun, new)
    if new not in begun and now(old, changes) == old:
        after[old] = new
    if merged and new is not None and new not in rules and new not in rules.values():
        after[new] = new
    return _needed(after)


def taken_back(changes: Sequence[Change], path: TagPath) -> list[Change]:
    """The changes without the deletion of a tag; others of what it was deleted with stay deleted."""
    if now(path, changes) is not None:
        return list(changes)
    rules = {old: new for old, new in changes if old != path}
    if now(path, list(rules.items())) is None:
        rules[path] = path
    return list(rules.items())


def _moved(path: TagPath, old: TagPath, new: TagPath | None) -> TagPath | None:
    return None if new is None else new + path[len(old) :]


def _needed(rules: dict[TagPath, TagPath | None]) -> list[Change]:
    for old, new in list(rules.items()):
        others = [rule for rule in rules.items() if rule[0] != old]
        if now(old, others) == new and not (old == new and any(there == new for _, there in others)):
            del rules[old]
    return list(rules.items())


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
