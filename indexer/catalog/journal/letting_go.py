"""What the journal of exports lets go, so that it does not grow with what nobody can want back.

Bytes and entries go from which no undo makes anything: of files that were put back, or were never written. Where people
give a way back up, one entry for each file stays, with the tags in it that are ours to take out. Nothing else goes by
itself. Functions on one connection, inside the caller's transaction, while nothing is exported.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from json import dumps
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, or_, select, update

from indexer.catalog.database import in_chunks
from indexer.catalog.journal import export_store
from indexer.catalog.journal.records import GIVEN_UP, UNCLEAR, Past, net, said_in
from indexer.catalog.tables.photo_tables import PhotoRow
from indexer.catalog.tables.tag_tables import ExportRow, ExportStepRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

ROWS_AT_A_TIME = 1000


def tidy(connection: Connection) -> None:
    """Let go of what no undo needs: entries of files that are put back, or are known not to be written."""
    unwritten = and_(ExportStepRow.state == "failed", ExportStepRow.reason != UNCLEAR)
    back = select(ExportStepRow.export_id, func.count()).where(ExportStepRow.state == "undone")
    for export_id, count in connection.execute(back.group_by(ExportStepRow.export_id)).all():
        _remember(connection, export_id, count, count)
    gone = connection.execute(delete(ExportStepRow).where(or_(unwritten, ExportStepRow.state == "undone"))).rowcount
    export_store.keep_held(connection, anew=gone > 0)


def forget(connection: Connection, export_ids: Sequence[int]) -> None:
    """Let go of the way back from exports; which tags they wrote stays, once for each file that has some.

    No bytes alone would say that a file was new: an undo, one of an older picsift too, would delete it.
    """
    for chunk in in_chunks(export_ids):
        plans = select(ExportRow.id, ExportRow.plan).where(ExportRow.id.in_(chunk))
        for export_id, plan in connection.execute(plans).all():
            _put(connection, export_id, replace(Past.of(plan), forgotten=True))
        mine = ExportStepRow.export_id.in_(chunk)
        connection.execute(update(ExportStepRow).where(mine).values(before=None, sha256_after=GIVEN_UP))
    tidy(connection)
    _fold(connection)
    export_store.keep_held(connection, anew=True)


def _fold(connection: Connection) -> None:
    """Make the entries of each file without a way back one; drop those that name no tag, or of photos that are gone."""
    gone, written, kept = defaultdict[int, list[int]](list), Counter[int](), list[dict[str, Any]]()
    for rows in _given_up(connection):
        files: dict[tuple[str, str], list[Any]] = {}
        dropped = [row for row in rows if row.state != "done" or row.present is None]
        for row in rows:
            if row.state == "done" and row.present is not None:
                said = said_in(row.written)  # a sidecar is known by its path, a photo by its content
                files.setdefault((said["content"], "" if said["content"] else row.path), []).append((row, said))
        for entries in files.values():
            tags, (last, said) = sorted(net([said for _, said in entries])), entries[-1]
            dropped += [row for row, _ in (entries[:-1] if tags else entries)]
            if tags and len(entries) > 1:
                words = dumps({"added": tags, "removed": [], "content": said["content"]})
                kept.append({"of": last.export_id, "at": last.number, "words": words})
        for row in dropped:
            gone[row.export_id].append(row.number)
            written[row.export_id] += row.state == "done"
    one = update(ExportStepRow).where(
        ExportStepRow.export_id == bindparam("of"), ExportStepRow.number == bindparam("at")
    )
    for start in range(0, len(kept), ROWS_AT_A_TIME):
        connection.execute(one.values(written=bindparam("words")), kept[start : start + ROWS_AT_A_TIME])
    for export_id, numbers in gone.items():
        of_it = delete(ExportStepRow).where(ExportStepRow.export_id == export_id)
        for chunk in in_chunks(numbers):
            connection.execute(of_it.where(ExportStepRow.number.in_(chunk)))
        _remember(connection, export_id, written[export_id])


def _given_up(connection: Connection) -> Iterator[list[Any]]:
    """The entries without a way back, a photo's together, in their order; `present` is None where it is gone."""
    columns = (ExportStepRow.export_id, ExportStepRow.number, ExportStepRow.photo_id, ExportStepRow.path)
    query = select(*columns, ExportStepRow.state, ExportStepRow.written, PhotoRow.id.label("present"))
    query = query.outerjoin(PhotoRow, PhotoRow.id == ExportStepRow.photo_id)
    query = query.where(ExportStepRow.sha256_after == GIVEN_UP)
    order = (ExportStepRow.photo_id, ExportStepRow.export_id, ExportStepRow.number)
    same: list[Any] = []
    for row in connection.execute(query.order_by(*order)).yield_per(ROWS_AT_A_TIME):
        if same and same[0].photo_id != row.photo_id:
            yield same
            same = []
        same.append(row)
    if same:
        yield same


def _remember(connection: Connection, export_id: int, files: int, put_back: int = 0) -> None:
    """Count entries that go."""
    plan = connection.execute(select(ExportRow.plan).where(ExportRow.id == export_id)).scalar_one()
    _put(connection, export_id, Past.of(plan).more(files, put_back))


def _put(connection: Connection, export_id: int, past: Past) -> None:
    connection.execute(update(ExportRow).where(ExportRow.id == export_id).values(plan=past.text()))
