"""The suggestions that nobody has decided on, in the order in which they are asked about.

Functions on one connection. An order is one of keys that decisions do not change, so that a page begins behind the last
key of the one before, whatever was decided meanwhile. One thing can move a tag in "frequent": that somebody takes a
decision back that was older than the first page. Its suggestions may then be met by who begins anew alone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, and_, case, cast, func, literal, or_, select, tuple_

from indexer.catalog.review.records import Pending
from indexer.catalog.stores.tag_store import path_of, stored
from indexer.catalog.tables.photo_tables import ModelRow, PhotoRow
from indexer.catalog.tables.tag_tables import PhotoTagRow, TagRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from indexer.catalog.review.records import Key, Queue
    from indexer.catalog.tag_records import TagPath

_UNDER = ("\x1f", "\x20")  # what lies under a tag begins with its path and the first of these, and is before the second
_FINE = 10_000  # confidences are kept with four decimals
_SUGGESTED = PhotoTagRow.state == "suggested"


def pending(connection: Connection, queue: Queue, after: Key | None, limit: int) -> list[Pending]:
    """Give the first suggestions of a queue, or those behind a key."""
    keys, source = _keys(queue), PhotoTagRow.__table__
    if queue.order == "frequent":
        counted = _counted(queue)
        source = source.join(counted, counted.c.tag_id == PhotoTagRow.tag_id)
        keys[0] = -counted.c.number
        if after is not None:  # the tag that is gone through stands where it stood, however many it has by now
            keys[0] = case((PhotoTagRow.tag_id == after[1], literal(after[0])), else_=keys[0])
    judged = (PhotoTagRow.model_id, PhotoTagRow.score, PhotoTagRow.confidence)
    named = [key.label(f"key{number}") for number, key in enumerate(keys)]
    query = select(*judged, *named).select_from(source).where(*_meant(queue.under))
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*map(literal, after)))
    first = query.order_by(*keys).limit(limit).subquery()  # few rows: what they are called is looked up for them alone
    order = [first.c[f"key{number}"] for number in range(4)]
    shown = select(TagRow.path, ModelRow.name, first.c.score, first.c.confidence, *order)
    shown = shown.join(TagRow, TagRow.id == order[1]).outerjoin(ModelRow, ModelRow.id == first.c.model_id)
    return [
        Pending(key[3], key[1], path_of(path), model, score, sure, (key[0], key[1], key[2], key[3]))
        for path, model, score, sure, *key in connection.execute(shown.order_by(*order))
    ]


def left(connection: Connection, under: TagPath | None) -> int:
    """Count the suggestions of a tag and what lies under it, or of all tags, that nobody has decided on."""
    query = select(func.count()).select_from(PhotoTagRow).where(*_meant(under))
    return int(connection.execute(query).scalar_one())


def beginning(connection: Connection) -> datetime:
    """Give a moment, aware, behind all that was decided or suggested so far, and before all that will be.

    The clock does not tell it: what waits for its commit has the time at which it got the lock.
    """
    last = connection.execute(select(func.max(PhotoTagRow.changed_at))).scalar_one()
    return datetime.now(UTC) if last is None else last + timedelta(microseconds=1)


def _keys(queue: Queue) -> list[Any]:
    sure = func.coalesce(PhotoTagRow.confidence, 0)
    unsure: ColumnElement[int] = cast(func.round(func.abs(sure - 0.5) * _FINE), Integer)
    doubt: ColumnElement[int] = cast(func.round((1 - sure) * _FINE), Integer)
    first, second = (unsure, literal(0)) if queue.order == "uncertain" else (literal(0), doubt)
    return [first, PhotoTagRow.tag_id, second, PhotoTagRow.photo_id]


def _counted(queue: Queue) -> Any:
    """How many suggestions each tag had when somebody began; what a model never scored was none."""
    since = and_(PhotoTagRow.changed_at >= queue.since, PhotoTagRow.confidence.is_not(None))
    query = select(PhotoTagRow.tag_id, func.count().label("number")).where(or_(_SUGGESTED, since))
    return query.group_by(PhotoTagRow.tag_id).subquery()


def _meant(under: TagPath | None) -> list[ColumnElement[bool]]:
    """What is in the queue: suggestions, of photos that did not fail and are there: others cannot be looked at."""
    unseen = or_(PhotoRow.state != "ok", PhotoRow.missing_since.is_not(None))
    sound = PhotoTagRow.photo_id.not_in(select(PhotoRow.id).where(unseen))
    if under is None:
        return [_SUGGESTED, sound]
    path = stored(under)
    first, last = (path + end for end in _UNDER)
    meant = select(TagRow.id).where(or_(TagRow.path == path, and_(TagRow.path >= first, TagRow.path < last)))
    return [_SUGGESTED, sound, PhotoTagRow.tag_id.in_(meant)]
