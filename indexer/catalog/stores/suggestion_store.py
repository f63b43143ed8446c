"""What models suggest, and what was learned of tags under them: written by runs, and never over a decision.

Functions on one connection, inside the caller's transaction. What people decide is `tag_store.py`'s.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import delete, func, insert, select, text

from indexer.catalog.database import fetch_ids, in_chunks
from indexer.catalog.soundness import sound_floats
from indexer.catalog.stores.tag_store import tags_of
from indexer.catalog.tables.photo_tables import ModelRow
from indexer.catalog.tables.tag_tables import PhotoTagRow, PromptVectorRow, TagFitRow, TagRow
from indexer.catalog.tag_records import Suggestion

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

_DECIDED = ("accepted", "rejected")
_STORED = np.dtype("<f4")
# For each row one statement: what was decided stays so and takes the model's numbers; what is gone has no row.
_PUT = text(
    "INSERT INTO photo_tags (tag_id, photo_id, state, origin, model_id, score, confidence, changed_at) "
    "SELECT :tag_id, :photo_id, 'suggested', 'model', :model_id, :score, :confidence, :now "
    "WHERE EXISTS (SELECT 1 FROM photos WHERE id = :photo_id) AND EXISTS (SELECT 1 FROM tags WHERE id = :tag_id) "
    "ON CONFLICT (tag_id, photo_id) DO UPDATE SET "
    "model_id = excluded.model_id, score = excluded.score, confidence = excluded.confidence"
)


ASKED = 64  # photos of one picture, by their ids, whose decisions a copy has

# A subquery for each content: a join would read all photos of a picture.
_FIRST_OF = text(
    "SELECT photos.id, given.value FROM json_each(:contents) AS given JOIN photos ON photos.id IN "
    f"(SELECT id FROM photos WHERE content_hash = given.value ORDER BY id LIMIT {ASKED})"
)


class Inherited(NamedTuple):
    """What was decided of a tag on a picture: the columns of its row that a copy's has, too."""

    tag_id: int
    state: str
    origin: str
    score: float | None
    confidence: float | None
    changed_at: datetime


def replace(
    connection: Connection,
    model_id: int,
    photo_ids: Sequence[int],
    tag_ids: Sequence[int],
    found: Iterable[Suggestion],
    now: datetime,
) -> None:
    """Let these be the suggestions of these tags on these photos; decisions stay, with the new numbers beside them.

    `found` names photos and tags of those alone. Suggestions of other tags stay as they are.
    """
    for chunk in in_chunks(photo_ids):
        suggested = (PhotoTagRow.photo_id.in_(chunk), PhotoTagRow.state == "suggested")
        for tags in in_chunks(tag_ids):
            # The sum keeps SQLite from looking up each photo with each tag, which is a thousand times as much.
            connection.execute(delete(PhotoTagRow).where(*suggested, (PhotoTagRow.tag_id + 0).in_(tags)))
    moment = now.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    same = {"model_id": model_id, "now": moment}
    if rows := [{**one._asdict(), **same} for one in found]:
        connection.execute(_PUT, rows)


def drop(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Take the suggestions of photos away: what they were made of is another picture now."""
    for chunk in in_chunks(photo_ids):
        suggested = (PhotoTagRow.photo_id.in_(chunk), PhotoTagRow.state == "suggested")
        connection.execute(delete(PhotoTagRow).where(*suggested))


def drop_all(connection: Connection) -> int:
    """Take every suggestion away; gives how many there were."""
    return connection.execute(delete(PhotoTagRow).where(PhotoTagRow.state == "suggested")).rowcount


def decided_of(connection: Connection, contents: Iterable[str]) -> dict[str, list[Inherited]]:
    """Give what was decided of the pictures with these content hashes, whatever the metadata beside them.

    Of one tag, decided on several photos of a picture, it is the later decision. Only the ASKED first ones are asked,
    so that the next of very many copies costs no more than the first.
    """
    photos: dict[int, str] = {}
    for chunk in in_chunks(sorted(set(contents))):
        first = connection.execute(_FIRST_OF, {"contents": json.dumps(chunk)})
        photos.update((number, content) for number, content in first)
    columns = [getattr(PhotoTagRow, name) for name in ("photo_id", *Inherited._fields)]
    decided = select(*columns).where(PhotoTagRow.state.in_(_DECIDED))
    rows = [
        row for chunk in in_chunks(list(photos)) for row in connection.execute(decided.where(columns[0].in_(chunk)))
    ]
    found: defaultdict[str, dict[int, Inherited]] = defaultdict(dict)
    for photo, *values in sorted(rows, key=lambda row: (row.changed_at, row.photo_id)):
        found[photos[photo]][values[0]] = Inherited(*values)
    return {content: list(by_tag.values()) for content, by_tag in found.items()}


def inherit(connection: Connection, decided: Mapping[int, Sequence[Inherited]]) -> None:
    """Let photos that have no tags have what was decided of their pictures, as `decided_of` gave it."""
    tagged = tags_of(connection, list(decided)).keys() if decided else set[int]()
    rows = [{"photo_id": photo, **one._asdict()} for photo in sorted(decided.keys() - tagged) for one in decided[photo]]
    if rows:
        connection.execute(insert(PhotoTagRow), rows)


def photos_with(connection: Connection, tag_ids: Sequence[int]) -> NDArray[np.int64]:
    """Give the photos (n,) that have one of these tags, suggested or accepted, sorted."""
    held = select(PhotoTagRow.photo_id).distinct().where(PhotoTagRow.state != "rejected")
    parts = [fetch_ids(connection, held.where(PhotoTagRow.tag_id.in_(chunk))) for chunk in in_chunks(tag_ids)]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)


def decided(connection: Connection, tag_id: int) -> dict[int, bool]:
    """Give the photos that this tag was decided for, and whether it was accepted."""
    query = select(PhotoTagRow.photo_id, PhotoTagRow.state).where(PhotoTagRow.tag_id == tag_id)
    rows = connection.execute(query.where(PhotoTagRow.state.in_(_DECIDED)))
    return {photo_id: state == "accepted" for photo_id, state in rows}


def decision_count(connection: Connection) -> int:
    """Count what was decided, of all tags on all photos."""
    query = select(func.count()).select_from(PhotoTagRow).where(PhotoTagRow.state.in_(_DECIDED))
    return int(connection.execute(query).scalar_one())


def tagged(connection: Connection) -> list[int]:
    """Give the photos that have a tag in any state, sorted."""
    return [int(number) for number in fetch_ids(connection, select(PhotoTagRow.photo_id).distinct())]


def accepted(connection: Connection) -> dict[int, list[int]]:
    """Give the tags that were accepted for each photo that has one."""
    query = select(PhotoTagRow.photo_id, PhotoTagRow.tag_id).where(PhotoTagRow.state == "accepted")
    found: dict[int, list[int]] = {}
    for photo_id, tag_id in connection.execute(query):
        found.setdefault(photo_id, []).append(tag_id)
    return found


def fits(connection: Connection, model_id: int) -> dict[int, tuple[str, NDArray[np.float32] | None]]:
    """Give what was learned of each tag under a model: JSON, and a classifier's vector (dim,) where a sound one is."""
    query = select(TagFitRow.tag_id, TagFitRow.fit, TagFitRow.vector).where(TagFitRow.model_id == model_id)
    rows = connection.execute(query)
    return {tag_id: (fit, sound_floats(vector)) for tag_id, fit, vector in rows}


def put_fit(
    connection: Connection, model_id: int, tag_id: int, fit: str, vector: NDArray[np.float32] | None, now: datetime
) -> None:
    """Keep what was learned of a tag, in place of what was known; nothing of one that is gone by now."""
    drop_fit(connection, model_id, tag_id)
    if connection.execute(select(TagRow.id).where(TagRow.id == tag_id)).scalar() is None:
        return
    packed = None if vector is None else vector.astype(_STORED).tobytes()
    values = {"tag_id": tag_id, "model_id": model_id, "fit": fit, "vector": packed, "fitted_at": now}
    connection.execute(insert(TagFitRow).values(**values))


def drop_fit(connection: Connection, model_id: int, tag_id: int) -> None:
    """Forget what was learned of a tag."""
    connection.execute(delete(TagFitRow).where(TagFitRow.tag_id == tag_id, TagFitRow.model_id == model_id))


def prompt_vectors(connection: Connection, model_id: int, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Give those of these vectors (dim,) that are kept, and sound."""
    dim = connection.execute(select(ModelRow.dim).where(ModelRow.id == model_id)).scalar()
    found: dict[str, NDArray[np.float32]] = {}
    for chunk in in_chunks(keys):
        query = select(PromptVectorRow.key, PromptVectorRow.vector).where(PromptVectorRow.model_id == model_id)
        rows = connection.execute(query.where(PromptVectorRow.key.in_(chunk)))
        found.update((key, vector) for key, stored in rows if (vector := sound_floats(stored, dim)) is not None)
    return found


def put_prompt_vectors(connection: Connection, model_id: int, vectors: Mapping[str, NDArray[np.float32]]) -> None:
    """Keep vectors (dim,) by their keys; those that are kept already, and sound, stay."""
    new = vectors.keys() - prompt_vectors(connection, model_id, list(vectors)).keys()
    for chunk in in_chunks(sorted(new)):
        damaged = (PromptVectorRow.model_id == model_id, PromptVectorRow.key.in_(chunk))
        connection.execute(delete(PromptVectorRow).where(*damaged))
    rows = [{"model_id": model_id, "key": key, "vector": vectors[key].astype(_STORED).tobytes()} for key in sorted(new)]
    if rows:
        connection.execute(insert(PromptVectorRow), rows)
