"""The part of the catalog that tells which photos were there at the last look, and for which reason others were not."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING

from indexer.catalog.database import reading, writing
from indexer.catalog.stores import description_store, photo_queries, root_store
from indexer.catalog.stores.setting_store import set_setting, setting

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from indexer.catalog.records import KnownPhoto

MARKS = 100  # moments at which photos were marked for a reason that passes, the last ones of a root


class AbsenceCatalog:
    """What was there, and since when what was not. Every method may raise LibraryError."""

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

    def mark_passing(self, root_id: int, photo_ids: Sequence[int], now: datetime) -> None:
        """Mark photos as missing until the next run, by which they are gone if they are not there: no drive is away."""
        with writing(self._engine) as connection:
            description_store.mark(connection, photo_ids, now)
            moments = [*json.loads(setting(connection, _key(root_id)) or "[]"), now.isoformat()]
            set_setting(connection, _key(root_id), json.dumps(moments[-MARKS:]))

    def passing(self, root_id: int) -> set[datetime]:
        """Give the moments at which photos were marked as missing for a reason that has passed, the last MARKS."""
        with reading(self._engine) as connection:
            return {datetime.fromisoformat(moment) for moment in json.loads(setting(connection, _key(root_id)) or "[]")}


def _key(root_id: int) -> str:
    return f"passing {root_id}"
