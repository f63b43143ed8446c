"""Models and their embeddings: which there are, what each photo's vector is, and what changed since when.

The frames of videos, which frame_store.py keeps, count among the embeddings wherever the search index is spoken of.
Functions on one connection, inside the caller's transaction. A vector is stored as it came: unit length, float16.
Legend: n photos, dim the model's embedding size.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import delete, exists, func, insert, select, update

from indexer.catalog.database import fetch_ids, in_chunks
from indexer.catalog.records import ModelRecord
from indexer.catalog.stores import frame_store, suggestion_store
from indexer.catalog.tables import EmbeddingRow, ModelRow, PhotoRow
from indexer.catalog.vector_tables import EmbeddingFailureRow
from indexer.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

_STORED = np.dtype("<f2")
_UNIT_TOLERANCE = 5e-3  # rounding to float16 alone leaves less than 1e-3


def model(connection: Connection, name: str, fingerprint: str, dim: int) -> ModelRecord:
    """Give the model with this fingerprint, entered if it is new; a new name for it is kept."""
    found = _model(connection, ModelRow.fingerprint == fingerprint)
    if found is None:
        connection.execute(insert(ModelRow).values(name=name, fingerprint=fingerprint, dim=dim))
    elif found.dim != dim:
        raise ModelError(f"model {name!r} has dimension {dim}, but the library holds vectors of {found.dim} by it")
    elif found.name != name:
        connection.execute(update(ModelRow).where(ModelRow.id == found.id).values(name=name))
    entered = _model(connection, ModelRow.fingerprint == fingerprint)
    assert entered is not None
    return entered


def active_model(connection: Connection) -> ModelRecord | None:
    """Give the model that answers searches."""
    return _model(connection, ModelRow.active)


def activate(connection: Connection, model_id: int) -> None:
    """Let this model answer searches, and no other."""
    connection.execute(update(ModelRow).values(active=ModelRow.id == model_id))


def _model(connection: Connection, condition: object) -> ModelRecord | None:
    query = select(ModelRow.id, ModelRow.name, ModelRow.fingerprint, ModelRow.dim).where(condition)  # type: ignore[arg-type]
    row = connection.execute(query).first()
    return ModelRecord(*row) if row else None


def generation(connection: Connection, model_id: int) -> int:
    """Give the number of transactions that changed this model's embeddings; 0 for a model that is not there."""
    return connection.execute(select(ModelRow.generation).where(ModelRow.id == model_id)).scalar() or 0


def bump(connection: Connection, model_ids: Collection[int]) -> None:
    """Count one more transaction that changed the embeddings of these models."""
    if model_ids:
        changed = update(ModelRow).where(ModelRow.id.in_(model_ids))
        connection.execute(changed.values(generation=ModelRow.generation + 1))


def put(connection: Connection, model_id: int, photo_ids: Sequence[int], vectors: Iterable[bytes]) -> None:
    """Write one vector for each photo, replacing what was there; the caller has bumped the generation."""
    for chunk in in_chunks(photo_ids):
        old = (EmbeddingRow.model_id == model_id, EmbeddingRow.photo_id.in_(chunk))
        connection.execute(delete(EmbeddingRow).where(*old))
    forgive(connection, photo_ids, model_id)
    now = generation(connection, model_id)
    rows = [
        {"model_id": model_id, "photo_id": photo_id, "vector": vector, "generation": now}
        for photo_id, vector in zip(photo_ids, vectors, strict=True)
    ]
    if rows:
        connection.execute(insert(EmbeddingRow), rows)


def drop(connection: Connection, photo_ids: Sequence[int]) -> set[int]:
    """Delete what was made of these photos' pictures; gives the models that lost embeddings, to be bumped."""
    suggestion_store.drop(connection, photo_ids)
    forgive(connection, photo_ids)
    touched = frame_store.drop(connection, photo_ids)
    for chunk in in_chunks(photo_ids):
        of_photos = EmbeddingRow.photo_id.in_(chunk)
        touched.update(connection.execute(select(EmbeddingRow.model_id).distinct().where(of_photos)).scalars())
        connection.execute(delete(EmbeddingRow).where(of_photos))
    return touched


def forgive(connection: Connection, photo_ids: Sequence[int], model_id: int | None = None) -> None:
    """Forget that photos could not be embedded, by one model or by any."""
    for chunk in in_chunks(photo_ids):
        failed = delete(EmbeddingFailureRow).where(EmbeddingFailureRow.photo_id.in_(chunk))
        connection.execute(failed if model_id is None else failed.where(EmbeddingFailureRow.model_id == model_id))


def vectors_of(connection: Connection, photo_ids: Collection[int]) -> dict[int, dict[int, bytes]]:
    """Give the stored vectors of photos by model and photo."""
    vectors: dict[int, dict[int, bytes]] = {}
    for chunk in in_chunks(sorted(photo_ids)):
        query = select(EmbeddingRow.model_id, EmbeddingRow.photo_id, EmbeddingRow.vector)
        for model_id, photo_id, vector in connection.execute(query.where(EmbeddingRow.photo_id.in_(chunk))):
            vectors.setdefault(model_id, {})[photo_id] = vector
    return vectors


def embedding_count(connection: Connection, model_id: int) -> int:
    """Count the photos and frames that this model has embedded."""
    query = select(func.count()).select_from(EmbeddingRow).where(EmbeddingRow.model_id == model_id)
    return connection.execute(query).scalar_one() + frame_store.count(connection, model_id)


def embedding_ids(connection: Connection, model_id: int) -> NDArray[np.int64]:
    """Give the ids of the photos and frames that this model has embedded: (n,) int64, sorted."""
    return np.concatenate([photo_ids(connection, model_id), frame_store.ids(connection, model_id)])


def photo_ids(connection: Connection, model_id: int) -> NDArray[np.int64]:
    """Give the ids of the photos, videos among them, that this model has embedded: (n,) int64, sorted."""
    return fetch_ids(connection, select(EmbeddingRow.photo_id).where(EmbeddingRow.model_id == model_id))


def embeddings(
    connection: Connection, model_id: int, since: int, batch_size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """Stream ids (n,) and vectors (n, dim) that were written after generation `since`, in the order of ids."""
    query = select(EmbeddingRow.photo_id, EmbeddingRow.vector).where(EmbeddingRow.model_id == model_id)
    if since > 0:
        query = query.where(EmbeddingRow.generation > since)
    rows = connection.execution_options(yield_per=batch_size).execute(query.order_by(EmbeddingRow.photo_id))
    for batch in rows.partitions():
        ids, vectors = zip(*batch, strict=True)
        yield np.array(ids, dtype=np.int64), _unpacked(b"".join(vectors), len(ids))
    for frames, packed in frame_store.vectors(connection, model_id, since, batch_size):
        yield np.array(frames, dtype=np.int64), _unpacked(b"".join(packed), len(frames))


def embedding_of(connection: Connection, photo_id: int, model_id: int) -> NDArray[np.float16] | None:
    """Give one photo's vector, (dim,) float16."""
    query = select(EmbeddingRow.vector)
    row = query.where(EmbeddingRow.model_id == model_id, EmbeddingRow.photo_id == photo_id)
    vector = connection.execute(row).scalar()
    return None if vector is None else _unpacked(vector, 1)[0]


def lacking(connection: Connection, model_id: int) -> NDArray[np.int64]:
    """Give the ids of sound photos, present in their folder, that this model has not embedded: (n,) int64, sorted."""
    embedded = exists().where(EmbeddingRow.photo_id == PhotoRow.id, EmbeddingRow.model_id == model_id)
    query = select(PhotoRow.id).where(PhotoRow.state == "ok", PhotoRow.missing_since.is_(None), ~embedded)
    return fetch_ids(connection, query)


def packed(connection: Connection, model_id: int, vectors: NDArray[np.float16], count: int) -> list[bytes]:
    """Check (n, dim) unit vectors of a model and give each as it is stored.

    Raises:
        ValueError: wrong shape or type, or a vector that is not finite and of unit length.
    """
    dim = connection.execute(select(ModelRow.dim).where(ModelRow.id == model_id)).scalar()
    if dim is None:
        raise ValueError(f"there is no model with id {model_id}: enter it with Catalog.model()")
    if vectors.shape != (count, dim) or vectors.dtype != np.float16:
        raise ValueError(f"expected ({count}, {dim}) float16 embeddings, got {vectors.shape} {vectors.dtype}")
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    if not bool(np.all(np.abs(lengths - 1) <= _UNIT_TOLERANCE)):  # NaN fails too
        worst = int(np.argmax(~(np.abs(lengths - 1) <= _UNIT_TOLERANCE)))
        raise ValueError(f"embeddings must have unit length, and row {worst} has length {lengths[worst]:.4g}")
    return [row.tobytes() for row in vectors.astype(_STORED, copy=False)]


def _unpacked(stored: bytes, count: int) -> NDArray[np.float16]:
    return np.frombuffer(stored, dtype=_STORED).reshape(count, -1).astype(np.float16, copy=False)
