"""The journal of exports: what is about to be written, and how it was before, for a kill or a change of mind.

Functions on one connection, inside the caller's transaction. Files are written and restored elsewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import dumps, loads
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, func, insert, or_, select, update

from indexer.catalog.database import in_chunks
from indexer.catalog.tables.tag_tables import ExportRow, ExportStepRow
from indexer.catalog.tag_records import TagPath

if TYPE_CHECKING:
    from sqlalchemy import Connection

StepState = Literal["planned", "done", "failed", "undone"]
FORGOTTEN = '{"forgotten": true}'  # the plan of an export from which there is no way back any more
UNDOING = "being put back"  # the reason of a step that is done, while its file is being put back, and after a kill
UNCLEAR = "interrupted"  # that of a failed step: nobody knows whether its file was written, and its old bytes are kept
GIVEN_UP = "given up"  # for the new file's SHA-256, without a way back: no file is taken for what was written then


@dataclass(frozen=True)
class Export:
    """One export; `finished_at` is None while it runs and after a kill.

    `files` were written, `put_back` of them are as before again, `unclear` others may be written or not; `kept_bytes`
    is what the way back takes, and with `forgotten` there is none any more.
    """

    id: int
    kind: str
    started_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    files: int = 0
    put_back: int = 0
    kept_bytes: int = 0
    forgotten: bool = False
    unclear: int = 0

    @property
    def undoable(self) -> bool:
        """Whether there is something to put back, and the way back is kept."""
        return not self.undone_at and not self.forgotten and (self.files > self.put_back or self.unclear > 0)


@dataclass(frozen=True)
class Step:
    """One file of an export.

    Attributes:
        photo_id: whose tags it holds.
        path: absolute.
        before: its bytes before, None where it was not there; with `sha256_before`, what makes them of those after.
        sha256_after: hexadecimal, of what is to be written; GIVEN_UP where there is no way back any more.
        tags: those that this export added to it.
        mode: its permissions before.
        mtime_ns: its time before.
        state: how far it is.
        reason: why it failed.
        number: its place in the export.
        sha256_before: hexadecimal, of its bytes before, where `before` does not hold them.
        removed: tags that this export took out of it.
        content: the content hash of a photo that was written into, "" of a sidecar.
        export_id: its export.
    """

    photo_id: int
    path: str
    before: bytes | None
    sha256_after: str
    tags: tuple[TagPath, ...]
    mode: int | None = None
    mtime_ns: int | None = None
    state: StepState = "planned"
    reason: str | None = None
    number: int = 0
    sha256_before: str | None = None
    removed: tuple[TagPath, ...] = ()
    content: str = ""
    export_id: int = 0


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
    """Give every export, the latest first."""
    written = func.count().filter(ExportStepRow.state.in_(("done", "undone")))
    put_back = func.count().filter(ExportStepRow.state == "undone")
    unclear = func.count().filter(ExportStepRow.state == "failed", ExportStepRow.reason == UNCLEAR)
    columns = (ExportRow.id, ExportRow.kind, ExportRow.started_at, ExportRow.finished_at, ExportRow.undone_at)
    kept = func.coalesce(func.sum(func.length(ExportStepRow.before)), 0)
    query = select(*columns, written, put_back, kept, ExportRow.plan == FORGOTTEN, unclear).group_by(ExportRow.id)
    query = query.outerjoin(ExportStepRow, ExportStepRow.export_id == ExportRow.id)
    return [Export(*row) for row in connection.execute(query.order_by(ExportRow.id.desc()))]


def tidy(connection: Connection) -> None:
    """Let go of old bytes that no undo needs: those of files that are put back, or are known not to be written."""
    unwritten = and_(ExportStepRow.state == "failed", ExportStepRow.reason != UNCLEAR)
    idle = (or_(unwritten, ExportStepRow.state == "undone"), ExportStepRow.before.is_not(None))
    connection.execute(update(ExportStepRow).where(*idle).values(before=None))


def forget(connection: Connection, export_ids: Sequence[int]) -> None:
    """Let go of the old bytes of exports; which tags they wrote stays.

    No bytes alone would say that a file was new: an undo, one of an older picsift too, would delete it.
    """
    rows, kept = update(ExportRow).values(plan=FORGOTTEN), update(ExportStepRow)
    for chunk in in_chunks(export_ids):
        connection.execute(rows.where(ExportRow.id.in_(chunk)))
        connection.execute(kept.where(ExportStepRow.export_id.in_(chunk)).values(before=None, sha256_after=GIVEN_UP))


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


def written_beside(connection: Connection, sidecars: Mapping[int, str]) -> dict[int, set[TagPath]]:
    """Give the tags that exports added to photos' sidecars and nobody took back: they are ours to take away.

    Args:
        connection: of the catalog.
        sidecars: the path of each photo's. What was written for another photo, or elsewhere, does not count.
    """
    return {
        photo: tags
        for photo, steps in _done(connection, list(sidecars), "sidecars").items()
        if (tags := _ours([said for path, said in steps if path == sidecars[photo]]))
    }


def written_into(connection: Connection, contents: Mapping[int, str]) -> dict[int, set[TagPath]]:
    """Give the tags that exports added to photos' own files and nobody took back, wherever the files are now.

    Args:
        connection: of the catalog.
        contents: the content hash of each. What was written into a file with another picture does not count.
    """
    return {
        photo: tags
        for photo, steps in _done(connection, list(contents), "files").items()
        if (tags := _ours([said for _, said in steps if said["content"] == contents[photo]]))
    }


def _done(connection: Connection, photos: Sequence[int], kind: str) -> dict[int, list[tuple[str, dict[str, Any]]]]:
    """Path and words of each step that stands, by photo, in the order in which they were written."""
    found: dict[int, list[tuple[str, dict[str, Any]]]] = {}
    columns = (ExportStepRow.photo_id, ExportStepRow.path, ExportStepRow.written)
    for chunk in in_chunks(photos):
        query = select(*columns).join(ExportRow, ExportRow.id == ExportStepRow.export_id)
        query = query.where(ExportStepRow.photo_id.in_(chunk), ExportStepRow.state == "done", ExportRow.kind == kind)
        for photo, path, words in connection.execute(query.order_by(ExportStepRow.export_id, ExportStepRow.number)):
            found.setdefault(photo, []).append((path, _words(words)))
    return found


def _words(text: str) -> dict[str, Any]:
    """What a step wrote; in journals of old only the tags that it added."""
    said = loads(text)
    return {"added": said, "removed": [], "content": ""} if isinstance(said, list) else said


def _ours(steps: Sequence[Mapping[str, Any]]) -> set[TagPath]:
    """The tags that were added and not taken out again since."""
    tags: set[TagPath] = set()
    for said in steps:
        tags.update(tuple(tag) for tag in said["added"])
        tags.difference_update(tuple(tag) for tag in said["removed"])
    return tags


def _step(row: Any) -> Step:
    said = _words(row.written)
    added, removed = (tuple(tuple(path) for path in said[name]) for name in ("added", "removed"))
    before = None if row.before is None else zlib.decompress(row.before)
    kept = (row.mode, row.mtime_ns, row.state, row.reason, row.number, row.sha256_before)
    return Step(row.photo_id, row.path, before, row.sha256_after, added, *kept, removed, said["content"], row.export_id)
