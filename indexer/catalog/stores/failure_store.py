"""Sound photos that a model could not be given, and why: each keeps what is known of it, and still lacks that model.

Functions on one connection, inside the caller's transaction. Files that are no photos at all are `photo_store.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from indexer.catalog.stores import embedding_store
from indexer.catalog.stores.photo_store import locate
from indexer.catalog.tables.vector_tables import EmbeddingFailureRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from indexer.catalog.records import FailedPhoto


def note(connection: Connection, root_id: int, model_id: int, failures: Sequence[FailedPhoto], now: datetime) -> None:
    """Remember why known photos of a root were not embedded, in place of what was remembered before."""
    present = locate(connection, root_id, [failure.path for failure in failures])
    reasons = {present[failure.path].id: failure.reason for failure in failures if failure.path in present}
    embedding_store.forgive(connection, list(reasons), model_id)
    rows = [
        {"model_id": model_id, "photo_id": photo_id, "reason": reason, "failed_at": now}
        for photo_id, reason in reasons.items()
    ]
    if rows:
        connection.execute(insert(EmbeddingFailureRow), rows)


def reasons(connection: Connection, model_id: int) -> dict[int, str]:
    """Give why photos were not embedded by a model, the latest failure first."""
    query = select(EmbeddingFailureRow.photo_id, EmbeddingFailureRow.reason)
    of_model = query.where(EmbeddingFailureRow.model_id == model_id)
    rows = connection.execute(of_model.order_by(EmbeddingFailureRow.failed_at.desc(), EmbeddingFailureRow.photo_id))
    return {photo_id: reason for photo_id, reason in rows}  # noqa: C416 - rows are no pairs to mypy
