"""Decides which tags a `tag:` filter means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from indexer.catalog.filters.words import folded
from indexer.catalog.tag_records import TagPath


def matching(wanted: TagPath, tags: Mapping[int, TagPath]) -> list[int]:
    """Give the ids of the tags that are meant: those in whose path the wanted names follow each other.

    So a tag means what lies under it too. Upper and lower case are the same, and letters with and without accents.
    """
    names = [_name(name) for name in wanted]
    return [number for number, path in tags.items() if names and _contains([_name(name) for name in path], names)]


@lru_cache(maxsize=8192)
def _name(name: str) -> tuple[str, ...]:
    return folded(name) or (name,)  # of signs alone: taken as it is


def _contains(path: list[tuple[str, ...]], names: list[tuple[str, ...]]) -> bool:
    return any(path[at : at + len(names)] == names for at in range(len(path) - len(names) + 1))
