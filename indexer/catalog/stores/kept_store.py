"""What people decided of photos that are gone: kept by content, for the day when the file is put back.

Functions on one connection, inside the caller's transaction. It is kept for a while, of so many decisions, and as long
as the root is followed that the photo lay in: who forgets a folder wants nothing known of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Insert, Row, Select, bindparam, delete, func, insert, null, select, tuple_, update
from sqlalchemy.dialects import sqlite

from indexer.catalog.database import in_chunks
from indexer.catalog.stores import edit_store
from indexer.catalog.tables.photo_tables import FolderRow, PhotoRow, UtcDateTime
from indexer.catalog.tables.tag_tables import EditRow, KeptRow, PhotoTagRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

LONGEST = timedelta(days=365)
"""How long it is kept: bins are emptied within weeks, and backups are looked through within the year."""

MOST = 200_000
"""How many decisions are kept: some 40 MB, which is a fiftieth of the vectors of a million photos."""

_COLUMNS = (
    *("root_id", "folder", "name", "content_hash", "tag_id", "field"),
    *("value", "origin", "score", "confidence", "changed_at", "kept_at"),
)
_OF_TAG = ("tag_id", "photo_id", "state", "origin", "score", "confidence", "changed_at")
_OF_EDIT = ("photo_id", "field", "value", "origin", "changed_at")


def keep(connection: Connection, photo_ids: Sequence[int], now: datetime | None) -> None:
    """Keep what was decided of photos, and what they were given, before they are deleted; nothing where `now` is None.

    What is older than a year, or beyond so many, goes then, the oldest first.
    """
    if now is None:
        return
    count = 0
    for chunk in in_chunks(photo_ids):
        if count >= MOST:  # what is kept of more would go at once
            break
        for statement in _kept():
            count += connection.execute(statement, {"photos": chunk, "now": now}).rowcount
    if _is_any(connection, now) and count > 0:
        first, last = (connection.execute(select(end(KeptRow.id))).scalar_one() for end in (func.min, func.max))
        if last - first >= MOST:  # else there cannot be more, and nothing has to be counted
            newest = select(KeptRow.id).order_by(KeptRow.id.desc())
            connection.execute(delete(KeptRow).where(KeptRow.id <= newest.offset(MOST).limit(1).scalar_subquery()))


def _is_any(connection: Connection, now: datetime) -> bool:
    """Whether anything is kept, when what is older than a year has gone; the first one tells whether there is such."""
    oldest = connection.execute(select(KeptRow.kept_at).order_by(KeptRow.id).limit(1)).scalar()
    if oldest is not None and oldest < now - LONGEST:
        connection.execute(delete(KeptRow).where(KeptRow.kept_at < now - LONGEST))
    return oldest is not None


@cache
def _kept() -> tuple[Insert, Insert]:
    """Tags and edits of photos, copied within SQLite: of most photos there is nothing."""
    place = (FolderRow.root_id, FolderRow.path, PhotoRow.name, PhotoRow.content_hash)
    kept_at = bindparam("now", type_=UtcDateTime())
    tags = select(*place, PhotoTagRow.tag_id, null(), PhotoTagRow.state, PhotoTagRow.origin, PhotoTagRow.score)
    tags = tags.add_columns(PhotoTagRow.confidence, PhotoTagRow.changed_at, kept_at)
    tags = tags.join(PhotoTagRow, PhotoTagRow.photo_id == PhotoRow.id).where(PhotoTagRow.state != "suggested")
    edits = select(*place, null(), EditRow.field, EditRow.value, EditRow.origin, null(), null())
    edits = edits.add_columns(EditRow.changed_at, kept_at).join(EditRow, EditRow.photo_id == PhotoRow.id)

    def of_photos(query: Select[*tuple[Any, ...]]) -> Insert:
        wanted = query.join(FolderRow, FolderRow.id == PhotoRow.folder_id).where(
            PhotoRow.id.in_(bindparam("photos", expanding=True)), PhotoRow.content_hash.is_not(None)
        )
        return insert(KeptRow).from_select(list(_COLUMNS), wanted)

    return of_photos(tags), of_photos(edits)


def give_back(connection: Connection, root_id: int, stored: Mapping[str, tuple[int, str]], now: datetime) -> None:
    """Let photos have what was kept of their pictures, which is kept no longer; of two decisions the later one holds.

    A photo at the place where one was has what was decided of that one; at another place, of any with its picture.

    Args:
        connection: in a transaction that writes.
        root_id: where they lie.
        stored: id and content hash of each photo, by its path in the root.
        now: aware; what was kept longer than a year before it is gone.
    """
    kept = _of(connection, {content for _, content in stored.values()}, now) if stored else {}
    used: set[int] = set()
    rows: list[dict[str, Any]] = []
    for path, (photo_id, content) in stored.items():
        folder, _, name = path.rpartition("/")
        found = kept.get(content, [])
        own = [row for row in found if (row.root_id, row.folder, row.name) == (root_id, folder, name)]
        rows += [{"photo_id": photo_id, **row._mapping} for row in own or found]
        used.update(row.id for row in own or found)
    for chunk in in_chunks(sorted(used)):
        connection.execute(delete(KeptRow).where(KeptRow.id.in_(chunk)))
    _give(connection, rows)


def pass_on(connection: Connection, original: int, other: int) -> None:
    """Let a photo have what was decided of another one of its picture, and what that was given, where it is later."""
    tags = select(PhotoTagRow, PhotoTagRow.state.label("value"), null().label("field"))
    tags = tags.where(PhotoTagRow.photo_id == original, PhotoTagRow.state != "suggested")
    edits = select(EditRow).where(EditRow.photo_id == original)
    rows = [row for query in (tags, edits) for row in connection.execute(query).mappings()]
    _give(connection, [{**row, "photo_id": other} for row in rows])


def _give(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what photos are given, as `kept_decisions` has it, with `photo_id`; the later of two decisions holds."""
    if tags := [{**row, "state": row["value"]} for row in rows if row["field"] is None]:
        connection.execute(_later(PhotoTagRow), [{name: tag[name] for name in _OF_TAG} for tag in tags])
    if edits := [row for row in rows if row["field"] is not None]:
        connection.execute(_later(EditRow), [{name: edit[name] for name in _OF_EDIT} for edit in edits])
        edit_store.apply(connection, sorted({edit["photo_id"] for edit in edits}))


def _of(connection: Connection, contents: Iterable[str], now: datetime) -> dict[str, list[Row[*tuple[Any, ...]]]]:
    """What is kept of these pictures, by content hash."""
    found: defaultdict[str, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    if not _is_any(connection, now):
        return found
    for chunk in in_chunks(sorted(contents)):
        for row in connection.execute(select(KeptRow).where(KeptRow.content_hash.in_(chunk))):
            found[row.content_hash].append(row)
    return found


@cache
def _later(table: type[PhotoTagRow] | type[EditRow]) -> Insert:
    """Written where nothing was decided, or earlier; a model's numbers stay."""
    given = sqlite.insert(table)
    earlier = table.changed_at < given.excluded.changed_at
    if table is EditRow:
        keys, values, free = ["photo_id", "field"], ["value", "origin", "changed_at"], earlier
    else:
        keys, values = ["tag_id", "photo_id"], ["state", "origin", "changed_at"]
        free = earlier | (PhotoTagRow.state == "suggested")
    changed = {name: given.excluded[name] for name in values}
    return given.on_conflict_do_update(index_elements=keys, set_=changed, where=free)


def take_back(connection: Connection, photo_ids: Sequence[int], tag_id: int | None) -> None:
    """Keep no longer of gone photos what is about to be taken back of their copies, if it is the very same decision.

    Copies have it from each other with its time, and what one command does to several photos has one time.

    Args:
        connection: in a transaction that writes.
        photo_ids: of which it is taken back.
        tag_id: of the decisions; None for what photos were given, all of it.
    """
    if connection.execute(select(KeptRow.id).limit(1)).first() is None:
        return
    said = EditRow if tag_id is None else PhotoTagRow
    same = select(PhotoRow.content_hash, said.changed_at).join(said, said.photo_id == PhotoRow.id)
    if tag_id is not None:
        same = same.where(PhotoTagRow.tag_id == tag_id, PhotoTagRow.state != "suggested")
    for chunk in in_chunks(photo_ids):
        taken = tuple_(KeptRow.content_hash, KeptRow.changed_at).in_(same.where(PhotoRow.id.in_(chunk)))
        # The sum has SQLite look for the contents: of a tag most of what is kept may be.
        tag = KeptRow.tag_id.is_(None) if tag_id is None else KeptRow.tag_id + 0 == tag_id
        connection.execute(delete(KeptRow).where(taken, tag))


def hand_on(connection: Connection, old: int, new: int, there: Callable[[str], str | None]) -> None:
    """Let a root have what is kept of photos that lay in it; `there` gives the path in it of a folder, or None."""
    rows = connection.execute(select(KeptRow.id, KeptRow.folder).where(KeptRow.root_id == old)).all()
    moved = [{"kept": row.id, "to": path} for row in rows if (path := there(row.folder)) is not None]
    if moved:
        rewrite = update(KeptRow).where(KeptRow.id == bindparam("kept"))
        connection.execute(rewrite.values(root_id=new, folder=bindparam("to")), moved)


def merge(connection: Connection, source: int, target: int) -> None:
    """Let what is kept of a tag be of another one, of which it is a part now."""
    connection.execute(update(KeptRow).where(KeptRow.tag_id == source).values(tag_id=target))
