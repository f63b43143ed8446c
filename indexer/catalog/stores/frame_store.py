"""The frames of videos, beside the poster: when each is shown, and its vector.

Functions on one connection, inside the caller's transaction; who writes here bumps the model's generation, as for the
embeddings of photos, and these go wherever those go. Legend: f frames, dim the model's embedding size.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import delete, func, insert, select

from indexer.catalog.database import in_chunks
from indexer.catalog.frame_ids import FIRST_FRAME, frame_id, number_of, photo_of
from indexer.catalog.tables.vector_tables import FrameRow

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

_NUMBERS = "SELECT photo_id, number FROM frames WHERE model_id = ?"


class Frame(NamedTuple):
    """One frame: its number in its video from 1 on, its moment in seconds, its packed vector."""

    number: int
    moment_s: float
    vector: bytes


def put(connection: Connection, model_id: int, frames: Mapping[int, Sequence[Frame]], generation: int) -> None:
    """Write the frames of videos by the videos' ids, replacing what was there."""
    drop(connection, list(frames), model_id)
    rows = [
        {**frame._asdict(), "photo_id": photo_id, "model_id": model_id, "generation": generation}
        for photo_id, listed in frames.items()
        for frame in listed
    ]
    if rows:
        connection.execute(insert(FrameRow), rows)


def of(connection: Connection, photo_ids: Collection[int]) -> dict[int, dict[int, list[Frame]]]:
    """Give the frames of videos by model and video."""
    found: dict[int, dict[int, list[Frame]]] = {}
    for chunk in in_chunks(sorted(photo_ids)):
        query = select(FrameRow.model_id, FrameRow.photo_id, FrameRow.number, FrameRow.moment_s, FrameRow.vector)
        rows = connection.execute(query.where(FrameRow.photo_id.in_(chunk)))
        for model_id, photo_id, number, moment, vector in rows:
            found.setdefault(model_id, {}).setdefault(photo_id, []).append(Frame(number, moment, vector))
    return found


def drop(connection: Connection, photo_ids: Sequence[int], model_id: int | None = None) -> set[int]:
    """Delete the frames of videos, of one model or of all; gives the models that lost some."""
    touched: set[int] = set()
    for chunk in in_chunks(photo_ids):
        lost = [FrameRow.photo_id.in_(chunk), *([FrameRow.model_id == model_id] if model_id is not None else [])]
        touched.update(connection.execute(select(FrameRow.model_id).distinct().where(*lost)).scalars())
        connection.execute(delete(FrameRow).where(*lost))
    return touched


def count(connection: Connection, model_id: int) -> int:
    """Count the frames that a model has embedded, beside the posters."""
    query = select(func.count()).select_from(FrameRow).where(FrameRow.model_id == model_id)
    return connection.execute(query).scalar_one()


def ids(connection: Connection, model_id: int) -> NDArray[np.int64]:
    """Give the ids of a model's frames: (f,) int64, sorted."""
    found = connection.exec_driver_sql(_NUMBERS, (model_id,)).cursor.fetchall()
    rows = np.array(found, dtype=np.int64).reshape(-1, 2)
    return np.sort(frame_id(rows[:, 0], rows[:, 1]))


def vectors(
    connection: Connection, model_id: int, since: int, batch_size: int
) -> Iterator[tuple[list[int], list[bytes]]]:
    """Stream ids and packed vectors of the frames that were written after generation `since`, in the order of ids."""
    query = select(FrameRow.photo_id, FrameRow.number, FrameRow.vector).where(FrameRow.model_id == model_id)
    if since > 0:
        query = query.where(FrameRow.generation > since)
    ordered = query.order_by(FrameRow.number, FrameRow.photo_id)
    for batch in connection.execution_options(yield_per=batch_size).execute(ordered).partitions():
        yield [frame_id(photo_id, number) for photo_id, number, _ in batch], [vector for *_, vector in batch]


def moments(connection: Connection, model_id: int, index_ids: Iterable[int]) -> dict[int, float]:
    """Give when frames are shown, in seconds from their video's start, by their ids; posters are none."""
    wanted = {number for number in map(int, index_ids) if number >= FIRST_FRAME}
    found: dict[int, float] = {}
    for chunk in in_chunks(sorted({photo_of(number) for number in wanted})):
        query = select(FrameRow.photo_id, FrameRow.number, FrameRow.moment_s).where(FrameRow.model_id == model_id)
        numbers = {number_of(number) for number in wanted}
        narrowed = query.where(FrameRow.photo_id.in_(chunk), FrameRow.number.in_(numbers))
        for photo_id, number, moment in connection.execute(narrowed):
            found[frame_id(photo_id, number)] = moment
    return {number: found[number] for number in wanted & found.keys()}
