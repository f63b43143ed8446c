"""Models as a whole: which one answers, what each holds, which photos it could not be given and why, how one leaves.

A photo that a model could not be given keeps what is known of it, and still lacks that model. Functions on one
connection, inside the caller's transaction. Files that are no photos at all are `photo_store.py`'s, vectors
`embedding_store.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from indexer.catalog.database import in_chunks
from indexer.catalog.records import ModelRecord, StoredModel
from indexer.catalog.stores import embedding_store
from indexer.catalog.stores.photo_store import locate
from indexer.catalog.tables.photo_tables import EmbeddingRow, ModelRow
from indexer.catalog.tables.vector_tables import EmbeddingFailureRow, FrameRow
from indexer.errors import ModelError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from indexer.catalog.records import FailedPhoto

    _Models = Select[int, str, str, int]


def model(connection: Connection, name: str, fingerprint: str, dim: int) -> ModelRecord:
    """Give the model with this fingerprint, entered if it is new; a new name for it is kept."""
    found = _model(connection, _by_fingerprint(), fingerprint)
    if found is None:
        connection.execute(insert(ModelRow).values(name=name, fingerprint=fingerprint, dim=dim))
    elif found.dim != dim:
        raise ModelError(f"model {name!r} has dimension {dim}, but the library holds vectors of {found.dim} by it")
    elif found.name != name:
        connection.execute(update(ModelRow).where(ModelRow.id == found.id).values(name=name))
    entered = _model(connection, _by_fingerprint(), fingerprint)
    assert entered is not None
    return entered


def active_model(connection: Connection) -> ModelRecord | None:
    """Give the model that answers searches."""
    return _model(connection, _answering())


def activate(connection: Connection, model_id: int) -> None:
    """Let this model answer searches, and no other."""
    connection.execute(update(ModelRow).values(active=ModelRow.id == model_id))


def _model(connection: Connection, query: _Models, fingerprint: str | None = None) -> ModelRecord | None:
    row = connection.execute(query, {"fingerprint": fingerprint} if fingerprint else {}).first()
    return ModelRecord(*row) if row else None


def _models() -> _Models:
    return select(ModelRow.id, ModelRow.name, ModelRow.fingerprint, ModelRow.dim)


@cache
def _answering() -> _Models:
    """Made once: every run and every search asks for it several times."""
    return _models().where(ModelRow.active)


@cache
def _by_fingerprint() -> _Models:
    return _models().where(ModelRow.fingerprint == bindparam("fingerprint"))


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


def fingerprints(connection: Connection) -> list[str]:
    """Give the fingerprint of every model that was entered."""
    return list(connection.execute(select(ModelRow.fingerprint)).scalars())


def stored(connection: Connection) -> list[StoredModel]:
    """Give every model that was entered, with what the library holds of it, in the order of their coming."""
    query = select(ModelRow.id, ModelRow.name, ModelRow.fingerprint, ModelRow.dim, ModelRow.active)
    found = []
    for number, name, fingerprint, dim, active in connection.execute(query.order_by(ModelRow.id)):
        model = ModelRecord(number, name, fingerprint, dim)
        of_model = select(func.count(), func.sum(func.length(EmbeddingRow.vector)))
        photos, size = connection.execute(of_model.where(EmbeddingRow.model_id == model.id)).one()
        of_frames = select(func.count(), func.sum(func.length(FrameRow.vector)))
        frames, more = connection.execute(of_frames.where(FrameRow.model_id == model.id)).one()
        found.append(StoredModel(model, active, photos, frames, (size or 0) + (more or 0)))
    return found


def embedded_only_by(connection: Connection, model_id: int) -> int:
    """Count the photos that a model has embedded and the one that answers has not; 0 where none answers."""
    answering = active_model(connection)
    if answering is None or answering.id == model_id:
        return 0
    photos = [select(EmbeddingRow.photo_id).where(EmbeddingRow.model_id == each) for each in (model_id, answering.id)]
    return connection.execute(select(func.count()).select_from(photos[0].except_(photos[1]).subquery())).scalar() or 0


def drop_some(connection: Connection, model_id: int, count: int) -> int:
    """Delete what a model that does not answer holds of so many photos; gives of how many it did.

    The model counts as never having embedded them, so that an interrupted removal leaves a model that can go on.
    """
    active = select(ModelRow.id).where(ModelRow.id == model_id, ModelRow.active)
    if connection.execute(active).first() is not None:
        raise ValueError(f"model {model_id} answers searches, and keeps its vectors")
    dropped = 0
    for rows in (EmbeddingRow, FrameRow):
        query = select(rows.photo_id).distinct().where(rows.model_id == model_id).limit(count)
        photo_ids = list(connection.execute(query).scalars())
        for chunk in in_chunks(photo_ids):
            connection.execute(delete(rows).where(and_(rows.model_id == model_id, rows.photo_id.in_(chunk))))
        dropped += len(photo_ids)
    if dropped:
        embedding_store.bump(connection, {model_id})
    return dropped


def drop(connection: Connection, model_id: int) -> None:
    """Delete a model that does not answer and holds no vectors any more; tags stay, decided and suggested ones."""
    connection.execute(delete(ModelRow).where(ModelRow.id == model_id, ModelRow.active.is_(False)))
