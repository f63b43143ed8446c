"""Titles, descriptions and ratings that a person or an import gave to photos; they stand before what the files say.

They stand in the photos' own columns too, where filters, words and answers look: whoever writes what files say into
those calls `apply` after it. Functions on one connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, union, update

from indexer.catalog.database import in_chunks
from indexer.catalog.tables.by_id import ById
from indexer.catalog.tables.photo_tables import PhotoRow
from indexer.catalog.tables.tag_tables import EditRow, ExportStepRow, PhotoTagRow
from indexer.catalog.tag_records import Edit

if TYPE_CHECKING:
    from sqlalchemy import Connection


def edits(connection: Connection, photo_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Give what was given to photos, by field; photos without any are left out."""
    found: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for photo_id, field, value in _EDITS.rows(connection, photo_ids):
        found[photo_id][field] = value
    return dict(found)


_EDITS = ById(lambda: select(EditRow.photo_id, EditRow.field, EditRow.value), EditRow.photo_id)


def edit(connection: Connection, changes: Sequence[Edit], now: datetime, *, firm: bool = True) -> int:
    """Write edits; gives how many changed something. Without `firm`, an earlier edit of the same field stays."""
    ids = sorted({change.photo_id for change in changes})
    known, present = edits(connection, ids), set[int]()
    for chunk in in_chunks(ids):
        present.update(connection.execute(select(PhotoRow.id).where(PhotoRow.id.in_(chunk))).scalars())
    count = 0
    for change in changes:
        before = known.get(change.photo_id, {}).get(change.field)
        if change.photo_id not in present or before == change.value or (before is not None and not firm):
            continue
        one = (EditRow.photo_id == change.photo_id, EditRow.field == change.field)
        connection.execute(delete(EditRow).where(*one))
        values = {"photo_id": change.photo_id, "field": change.field, "value": change.value, "origin": change.origin}
        connection.execute(insert(EditRow).values(**values, changed_at=now))
        known.setdefault(change.photo_id, {})[change.field] = change.value
        count += 1
    apply(connection, ids)
    return count


def apply(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Let what was given to these photos stand in their columns, over what their files say."""
    for photo_id, given in edits(connection, photo_ids).items():
        values: dict[str, Any] = given | ({"rating": int(given["rating"])} if "rating" in given else {})
        connection.execute(update(PhotoRow).where(PhotoRow.id == photo_id, PhotoRow.state == "ok").values(**values))


def forget(connection: Connection, photo_ids: Sequence[int]) -> int:
    """Take back all that was given to photos; gives how many had something. Their columns are the caller's to write."""
    ids = list(edits(connection, photo_ids))
    for chunk in in_chunks(ids):
        connection.execute(delete(EditRow).where(EditRow.photo_id.in_(chunk)))
    return len(ids)


def exportable(connection: Connection) -> list[int]:
    """Give the photos that have something to say: accepted tags, edits, or what an export wrote; sorted."""
    tagged = select(PhotoTagRow.photo_id).where(PhotoTagRow.state == "accepted")
    touched = select(ExportStepRow.photo_id).where(ExportStepRow.state == "done")
    said = union(tagged, select(EditRow.photo_id), touched).subquery()
    present = select(PhotoRow.id).where(PhotoRow.id.in_(select(said.c[0])), PhotoRow.state == "ok")
    return list(connection.execute(present.order_by(PhotoRow.id)).scalars())
