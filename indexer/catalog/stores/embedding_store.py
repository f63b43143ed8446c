"""The embeddings of models: what each photo's vector is, and what changed since when.

The frames of videos, which frame_store.py keeps, count among the embeddings wherever the search index is spoken of.
Functions on one connection, inside the caller's transaction. A vector is stored as it came: unit length, float16.
Legend: n photos, dim the model's embedding size.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import delete, exists, func, insert, select, update

from indexer.catalog.database import fetch_ids, in_chunks, sorted_ids
from indexer.catalog.frame_ids import photo_of
from indexer.catalog.soundness import STORED, has_unit_length, sound
from indexer.catalog.stores import frame_store, suggestion_store
from indexer.catalog.tables.photo_tables import EmbeddingRow, ModelRow, PhotoRow
from indexer.catalog.tables.vector_tables import EmbeddingFailureRow, FrameRow, GenerationRow

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

REMEMBERED = 10_000  # generations: an index that is further behind is made anew
_GENERATION = "SELECT generation FROM models WHERE id = ?"
_TOKEN = "SELECT token FROM generations WHERE model_id = ? AND number = ?"
_DIM = "SELECT dim FROM models WHERE id = ?"
_PHOTO_IDS = "SELECT group_concat(photo_id) FROM embeddings WHERE model_id = ?"


def generation(connection: Connection, model_id: int) -> int:
    """Give the number of transactions that changed this model's embeddings; 0 for a model that is not there."""
    return connection.exec_driver_sql(_GENERATION, (model_id,)).scalar() or 0


def bump(connection: Connection, model_ids: Collection[int]) -> None:
    """Count one more transaction that changed the embeddings of these models."""
    if model_ids:
        changed = update(ModelRow).where(ModelRow.id.in_(model_ids))
        connection.execute(changed.values(generation=ModelRow.generation + 1))
        for model_id in model_ids:
            now = generation(connection, model_id)
            new = insert(GenerationRow).values(model_id=model_id, number=now, token=secrets.token_hex(16))
            connection.execute(new)
            old = (GenerationRow.model_id == model_id, GenerationRow.number <= now - REMEMBERED)
            connection.execute(delete(GenerationRow).where(*old))


def token(connection: Connection, model_id: int, number: int) -> str | None:
    """Give what tells a generation from one of the same number before a restore; None where it is not known."""
    return connection.exec_driver_sql(_TOKEN, (model_id, number)).scalar()


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
    """Give the stored vectors of photos by model and photo, without those that cannot be used."""
    vectors: dict[int, dict[int, bytes]] = {}
    for chunk in in_chunks(sorted(photo_ids)):
        query = select(EmbeddingRow.model_id, EmbeddingRow.photo_id, EmbeddingRow.vector)
        for model_id, photo_id, vector in connection.execute(query.where(EmbeddingRow.photo_id.in_(chunk))):
            vectors.setdefault(model_id, {})[photo_id] = vector
    for model_id, by_photo in vectors.items():
        for photo_id in unsound(connection, model_id, list(by_photo)):
            del by_photo[photo_id]
    return vectors


def unsound(connection: Connection, model_id: int, photo_ids: Sequence[int]) -> list[int]:
    """Give those of these photos of which a vector, or that of a frame, cannot be used, sorted."""
    dim, found = _dim(connection, model_id), set[int]()
    for rows in (EmbeddingRow, FrameRow):
        for chunk in in_chunks(photo_ids):
            query = select(rows.photo_id, rows.vector).where(rows.model_id == model_id, rows.photo_id.in_(chunk))
            stored = connection.execute(query).all()
            good = sound([vector for _, vector in stored], dim)[0]
            found.update(photo_id for (photo_id, _), usable in zip(stored, good, strict=True) if not usable)
    return sorted(found)


def discard_unsound(connection: Connection, model_id: int, photo_ids: Sequence[int]) -> list[int]:
    """Drop what cannot be used of the vectors of these photos, whole videos at once; gives the photos that lack some.

    They count as never embedded by the model from then on, so that the next run embeds them.
    """
    lost = unsound(connection, model_id, photo_ids)
    if lost:
        frame_store.drop(connection, lost, model_id)
        for chunk in in_chunks(lost):
            gone = (EmbeddingRow.model_id == model_id, EmbeddingRow.photo_id.in_(chunk))
            connection.execute(delete(EmbeddingRow).where(*gone))
        bump(connection, {model_id})
    return lost


def _dim(connection: Connection, model_id: int) -> int:
    return connection.exec_driver_sql(_DIM, (model_id,)).scalar() or 0


def embedding_count(connection: Connection, model_id: int) -> int:
    """Count the photos and frames that this model has embedded."""
    query = select(func.count()).select_from(EmbeddingRow).where(EmbeddingRow.model_id == model_id)
    return connection.execute(query).scalar_one() + frame_store.count(connection, model_id)


def changed_since(connection: Connection, model_id: int, generation: int) -> int:
    """Count the photos whose vector by this model is newer than a generation."""
    newer = (EmbeddingRow.model_id == model_id, EmbeddingRow.generation > generation)
    return connection.execute(select(func.count()).select_from(EmbeddingRow).where(*newer)).scalar_one()


def embedding_ids(connection: Connection, model_id: int) -> NDArray[np.int64]:
    """Give the ids of the photos and frames that this model has embedded: (n,) int64, sorted."""
    return np.concatenate([photo_ids(connection, model_id), frame_store.ids(connection, model_id)])


def photo_ids(connection: Connection, model_id: int) -> NDArray[np.int64]:
    """Give the ids of the photos, videos among them, that this model has embedded: (n,) int64, sorted."""
    return sorted_ids(connection.exec_driver_sql(_PHOTO_IDS, (model_id,)).scalar())


def embeddings(
    connection: Connection, model_id: int, since: int, batch_size: int, damaged: set[int]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """Stream ids (n,) and vectors (n, dim) that were written after generation `since`, in the order of ids.

    Those that cannot be used are left out, and their photos go to `damaged`.
    """
    dim = _dim(connection, model_id)
    query = select(EmbeddingRow.photo_id, EmbeddingRow.vector).where(EmbeddingRow.model_id == model_id)
    if since > 0:
        query = query.where(EmbeddingRow.generation > since)
    rows = connection.execution_options(yield_per=batch_size).execute(query.order_by(EmbeddingRow.photo_id))
    for batch in rows.partitions():
        ids, vectors = zip(*batch, strict=True)
        yield _usable(ids, vectors, dim, damaged)
    for frames, packed in frame_store.vectors(connection, model_id, since, batch_size):
        yield _usable(frames, packed, dim, damaged)


def _usable(
    ids: Sequence[int], stored: Sequence[bytes], dim: int, damaged: set[int]
) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    good, vectors = sound(stored, dim)
    numbers = np.array(ids, dtype=np.int64)
    damaged.update(photo_of(numbers[~good]).tolist())
    return numbers[good], vectors


def embeddings_of(
    connection: Connection, photo_ids: Sequence[int], model_id: int, damaged: set[int]
) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """Give those of photos that have one: ids (n,) and vectors (n, dim). Those that cannot be used go to `damaged`."""
    query = select(EmbeddingRow.photo_id, EmbeddingRow.vector).where(EmbeddingRow.model_id == model_id)
    chunks = (query.where(EmbeddingRow.photo_id.in_(chunk)) for chunk in in_chunks(photo_ids))
    rows = dict(row for chunk in chunks for row in connection.execute(chunk.order_by(EmbeddingRow.photo_id)))
    return _usable(list(rows), list(rows.values()), _dim(connection, model_id), damaged)


def embedded(connection: Connection, model_id: int) -> int:
    """Count the photos that this model has embedded, by an index that is made of far fewer bytes than the vectors."""
    query = select(func.count()).select_from(EmbeddingRow).where(EmbeddingRow.model_id == model_id)
    return connection.execute(query).scalar_one()


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
    dim = _dim(connection, model_id)
    if not dim:
        raise ValueError(f"there is no model with id {model_id}: enter it with Catalog.model()")
    if vectors.shape != (count, dim) or vectors.dtype != np.float16:
        raise ValueError(f"expected ({count}, {dim}) float16 embeddings, got {vectors.shape} {vectors.dtype}")
    if not (good := has_unit_length(vectors)).all():
        worst = int(np.argmax(~good))
        length = np.linalg.norm(vectors[worst].astype(np.float32))
        raise ValueError(f"embeddings must have unit length, and row {worst} has length {length:.4g}")
    return [row.tobytes() for row in vectors.astype(STORED, copy=False)]
