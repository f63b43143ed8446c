"""The journal of exports: what is about to be written, and how it was before, for a kill or a change of mind.

Functions on one connection, inside the caller's transaction, but for one that has its own. Files are written and
restored elsewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from json import dumps, loads
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, cast, func, insert, literal, select, tuple_, update

from indexer.catalog.database import in_chunks, reading, writing
from indexer.catalog.journal.records import (
    GIVEN_UP,
    UNCLEAR,
    UNDOING,
    Export,
    Past,
    Step,
    StepState,
    Written,
    net,
    said_in,
)
from indexer.catalog.stores import setting_store
from indexer.catalog.tables.tag_tables import ExportRow, ExportStepRow
from indexer.catalog.tag_records import TagPath

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine

HELD = "way back"  # a setting of the library: the last entry that was counted, and the bytes up to it, as JSON
ROW_BYTES = 200  # of an entry beside path, words and old bytes: its digests, numbers, and place in two indexes


def begin(connection: Connection, kind: str, now: datetime) -> int:
    """Enter an export; gives its id."""
    row = insert(ExportRow).values(kind=kind, plan="{}", started_at=now)
    return int(connection.execute(row.returning(ExportRow.id)).scalar_one())


def plan(connection: Connection, export_id: int, steps: Sequence[Step]) -> list[int]:
    """Write down files that are about to be written; gives their numbers."""
    highest = select(func.coalesce(func.max(ExportStepRow.number), 0)).where(ExportStepRow.export_id == export_id)
    rows = [
        {
            **{"export_id": export_id, "number": number, "photo_id": step.photo_id, "path": step.path},
            **{"state": "planned", "mode": step.mode, "mtime_ns": step.mtime_ns, "sha256_after": step.sha256_after},
            "before": None if step.before is None else zlib.compress(step.before),
            "sha256_before": step.sha256_before,
            "written": dumps({"added": step.tags, "removed": step.removed, "content": step.content}),
        }
        for number, step in enumerate(steps, start=connection.execute(highest).scalar_one() + 1)
    ]
    if rows:
        connection.execute(insert(ExportStepRow), rows)
    return [int(str(row["number"])) for row in rows]


def settle(
    connection: Connection,
    export_id: int,
    numbers: Sequence[int],
    state: StepState,
    reason: str | None = None,
    *,
    path: str | None = None,
) -> None:
    """Note what became of files, and where the one is if it was moved."""
    values = {"state": state, "reason": reason} | ({} if path is None else {"path": path})
    steps_of = update(ExportStepRow).where(ExportStepRow.export_id == export_id).values(**values)
    for chunk in in_chunks(numbers):
        connection.execute(steps_of.where(ExportStepRow.number.in_(chunk)))


def finish(connection: Connection, export_id: int, now: datetime, *, undone: bool = False) -> None:
    """Note that an export, or its undoing, has come to its end."""
    row = update(ExportRow).where(ExportRow.id == export_id)
    connection.execute(row.values(undone_at=now) if undone else row.values(finished_at=now))


def exports(connection: Connection) -> list[Export]:
    """Give every export, the latest first; files whose entries were let go are counted still."""
    written = func.count().filter(ExportStepRow.state.in_(("done", "undone")))
    put_back = func.count().filter(ExportStepRow.state == "undone")
    unclear = func.count().filter(ExportStepRow.state == "failed", ExportStepRow.reason == UNCLEAR)
    columns = (ExportRow.id, ExportRow.kind, ExportRow.started_at, ExportRow.finished_at, ExportRow.undone_at)
    kept = func.coalesce(func.sum(func.length(ExportStepRow.before)), 0)
    query = select(*columns, written, put_back, kept, unclear, ExportRow.plan).group_by(ExportRow.id)
    query = query.outerjoin(ExportStepRow, ExportStepRow.export_id == ExportRow.id)
    found = []
    for *known, files, back, size, unknown, plan in connection.execute(query.order_by(ExportRow.id.desc())):
        past = Past.of(plan)
        known += [files + past.files, back + past.put_back, size, past.forgotten, unknown]
        found.append(Export(*known))
    return found


def size(connection: Connection) -> tuple[int, int]:
    """Give how many entries of files the journal has, and about how many bytes they take."""
    entries, taken = connection.execute(select(func.count(), func.coalesce(func.sum(_bytes()), 0))).one()
    return int(entries), int(taken)


def held(connection: Connection) -> int:
    """Give the bytes of the way back, which can be let go still; looks only at the entries since `keep_held`."""
    until, known = _kept(connection)
    return known + _held_since(connection, until)


def forget_held(connection: Connection) -> None:
    """Have `held` count all entries anew, since some go in this transaction."""
    setting_store.set_setting(connection, HELD, "")


def keep_held(engine: Engine) -> None:
    """Keep what `held` gives, for entries up to now."""
    last = select(ExportStepRow.export_id, ExportStepRow.number)
    last = last.order_by(ExportStepRow.export_id.desc(), ExportStepRow.number.desc()).limit(1)
    with reading(engine) as connection:
        until = list(connection.execute(last).one_or_none() or (0, 0))
        if until == list(_kept(connection)[0]):
            return
        known = held(connection)
    with writing(engine) as connection:
        setting_store.set_setting(connection, HELD, dumps([until, known]))


def _kept(connection: Connection) -> tuple[tuple[int, int], int]:
    """Up to which entry, and how much; from the first one where entries have gone, or what was kept is damaged."""
    try:
        (export_id, number), known = loads(setting_store.setting(connection, HELD) or "")
        return (int(export_id), int(number)), int(known)
    except (TypeError, ValueError):
        return (0, 0), 0


def _held_since(connection: Connection, until: tuple[int, int]) -> int:
    later = tuple_(ExportStepRow.export_id, ExportStepRow.number) > tuple_(*map(literal, until))
    counted = ExportStepRow.sha256_after.is_distinct_from(GIVEN_UP)
    taken = func.coalesce(func.sum(func.length(ExportStepRow.before)), 0)
    return int(connection.execute(select(taken).where(later, counted)).scalar_one())


def _bytes() -> ColumnElement[int]:
    """About how many bytes an entry takes."""
    texts = [cast(column, LargeBinary) for column in (ExportStepRow.path, ExportStepRow.written)]  # no characters
    lengths = (func.coalesce(func.length(column), 0) for column in (*texts, ExportStepRow.before))
    return sum(lengths, start=literal(ROW_BYTES))


def steps(connection: Connection, export_id: int, state: StepState) -> list[Step]:
    """Give the files of an export that are in a state, in the order of their numbers."""
    query = select(ExportStepRow).where(ExportStepRow.export_id == export_id, ExportStepRow.state == state)
    return [_step(row) for row in connection.execute(query.order_by(ExportStepRow.number))]


def being_undone(connection: Connection) -> list[Step]:
    """Give the files of all exports that were being put back when that was killed."""
    return _with_reason(connection, "done", UNDOING)


def unclear(connection: Connection) -> list[Step]:
    """Give the files of all exports of which nobody knows whether they were written, and with a way back if so."""
    return [step for step in _with_reason(connection, "failed", UNCLEAR) if step.sha256_after != GIVEN_UP]


def _with_reason(connection: Connection, state: StepState, reason: str) -> list[Step]:
    query = select(ExportStepRow).where(ExportStepRow.state == state, ExportStepRow.reason == reason)
    return [_step(row) for row in connection.execute(query.order_by(ExportStepRow.export_id, ExportStepRow.number))]


def written_beside(connection: Connection, photos: Sequence[int]) -> dict[int, list[Written]]:
    """Give what exports wrote beside photos and nobody took back, in the order in which it was written."""
    return _done(connection, photos, "sidecars")


def written_into(connection: Connection, contents: Mapping[int, str]) -> dict[int, set[TagPath]]:
    """Give the tags that exports added to photos' own files and nobody took back, wherever the files are now.

    Args:
        connection: of the catalog.
        contents: the content hash of each. What was written into a file with another picture does not count.
    """
    return {
        photo: tags
        for photo, steps in _done(connection, list(contents), "files").items()
        if (tags := net([one.said for one in steps if one.said["content"] == contents[photo]]))
    }


def _done(connection: Connection, photos: Sequence[int], kind: str) -> dict[int, list[Written]]:
    """Each step that stands, by photo, in the order in which they were written."""
    found: dict[int, list[Written]] = {}
    columns = (ExportStepRow.photo_id, ExportStepRow.path, ExportStepRow.sha256_after, ExportStepRow.written)
    for chunk in in_chunks(photos):
        query = select(*columns).join(ExportRow, ExportRow.id == ExportStepRow.export_id)
        query = query.where(ExportStepRow.photo_id.in_(chunk), ExportStepRow.state == "done", ExportRow.kind == kind)
        rows = connection.execute(query.order_by(ExportStepRow.export_id, ExportStepRow.number))
        for photo, path, digest, words in rows:
            found.setdefault(photo, []).append(Written(path, digest or "", said_in(words)))
    return found


def _step(row: Any) -> Step:
    said = said_in(row.written)
    added, removed = (tuple(tuple(path) for path in said[name]) for name in ("added", "removed"))
    before = None if row.before is None else zlib.decompress(row.before)
    kept = (row.mode, row.mtime_ns, row.state, row.reason, row.number, row.sha256_before)
    return Step(row.photo_id, row.path, before, row.sha256_after, added, *kept, removed, said["content"], row.export_id)
