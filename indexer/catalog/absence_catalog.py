"""The part of the catalog that tells which photos are there, and which are missing; they are marked in `catalog.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set
from typing import TYPE_CHECKING

from indexer.catalog.database import reading
from indexer.catalog.stores import photo_queries, root_store

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from indexer.catalog.records import KnownPhoto


class AbsenceCatalog:
    """Questions about what was there at the last look. Every method may raise LibraryError."""

    def __init__(self, engine: Engine) -> None:
        """Work on an open database."""
        self._engine = engine

    def count_present(self, root_id: int) -> int:
        """Count the photos of a root that are not missing, those that failed among them."""
        with reading(self._engine) as connection:
            return root_store.count_present(connection, root_id)

    def has_present(
        self,
        root_id: int,
        count: int,
        *,
        below: str = "",
        outside: Collection[str] = (),
        passed: Set[int] = frozenset(),
    ) -> bool:
        """Say whether so many photos of a subfolder, those below some others and the ids `passed` aside, are there."""
        with reading(self._engine) as connection:
            return root_store.has_present(connection, root_id, below, outside, count, passed)

    def missing_with(self, root_id: int, hashes: Iterable[str]) -> list[KnownPhoto]:
        """Give the sound photos of a root that are missing and have one of these content hashes, as not embedded."""
        with reading(self._engine) as connection:
            return photo_queries.missing_with(connection, root_id, hashes)
