"""The tags of a library and what else they are called: by synonyms, and in other languages, as a vocabulary has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from json import dumps, loads
from typing import TYPE_CHECKING

from indexer.catalog.filters import tag_filter
from indexer.catalog.filters.words import folded
from indexer.catalog.stores import setting_store, tag_store
from indexer.catalog.tag_records import TagPath

if TYPE_CHECKING:
    from sqlalchemy import Connection

SETTING = "names of tags"  # of the library: other names, each with the ids of the tags that it means, as JSON
_Names = Mapping[tuple[str, ...], tuple[int, ...]]


@dataclass(frozen=True)
class KnownTags:
    """Tags, by id.

    Attributes:
        paths: what each is called.
        names: what else, as SETTING has it.
    """

    paths: Mapping[int, TagPath]
    names: str

    @classmethod
    def of(cls, connection: Connection) -> KnownTags:
        """Those of a library."""
        return cls(tag_store.paths(connection), setting_store.setting(connection, SETTING) or "{}")

    def meant(self, wanted: TagPath) -> list[int]:
        """Give the ids of the tags that a filter means, by their own names; where none is called so, by the others."""
        found = tag_filter.matching(wanted, self.paths)
        if found or len(wanted) != 1:
            return found
        tops = {self.paths[number] for number in _read(self.names).get(folded(wanted[0]), ()) if number in self.paths}
        return [number for number, path in self.paths.items() if any(path[: len(top)] == top for top in tops)]

    def called(self, held: Iterable[int]) -> set[str]:
        """The names by which some of these tags are found: their levels, and the others of them and of those above."""
        paths = [self.paths[number] for number in set(held) if number in self.paths]
        above = {path[:count] for path in paths for count in range(1, len(path) + 1)}
        some = {number for number, path in self.paths.items() if path in above}
        others = (name for name, ids in _loaded(self.names).items() if folded(name) and not some.isdisjoint(ids))
        return {name for path in paths for name in path}.union(others)


def written(names: Mapping[str, Iterable[int]]) -> str:
    """For SETTING: other names, each with the ids of the tags that it means."""
    return dumps({name: sorted(set(ids)) for name, ids in sorted(names.items())}, ensure_ascii=False)


@lru_cache(maxsize=2)
def _read(text: str) -> _Names:
    found: dict[tuple[str, ...], tuple[int, ...]] = {}
    for name, ids in _loaded(text).items():
        found[folded(name)] = (*found.get(folded(name), ()), *ids)
    found.pop((), None)
    return found


def _loaded(text: str) -> dict[str, list[int]]:
    try:
        said = loads(text)
    except ValueError:
        return {}
    known = said.items() if isinstance(said, dict) else ()
    return {name: ids for name, ids in known if isinstance(ids, list)}
