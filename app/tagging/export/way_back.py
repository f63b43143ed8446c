"""What exports did, and the way back: after a kill, by a change of mind, and given up where nobody wants it any more.

All of it is told from the journal and the files; the caller of each holds the library's writer lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.tagging.export import journal_steps, own_writes, safe_write
from app.tagging.export.journal_steps import CHANGED_SINCE, GONE, found_as, restore
from indexer.catalog.journal.records import UNCLEAR, UNDOING, Export, Step
from indexer.errors import PicsiftError
from indexer.library import Library

FILES_AT_A_TIME = 100  # in one transaction of the journal


class ExportError(PicsiftError):
    """An export cannot be made, undone or forgotten."""


class UnknownExportError(ExportError):
    """The journal has no such export."""


class UnsettledError(ExportError):
    """An export, or its undoing, was killed, and what became of its files cannot be told yet."""


@dataclass
class ExportReport:
    """What an export did, or would do.

    Attributes:
        export: its id in the journal; None of a preview, and where there was nothing to write.
        written: files written, made or restored.
        unchanged: files that hold everything already.
        refused: path and reason of each file that was left alone.
        shortened: path of each photo and texts that IPTC has no room for; XMP has them whole.
        complete: False where it was stopped before its end.
        changed: whether what is to be written was no longer what the preview had shown; from there on nothing was.
        kind: "sidecars" or "files", those of photos; "" where that is not known yet.
        undoing: whether it tells of files put back.
    """

    export: int | None = None
    written: int = 0
    unchanged: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)
    shortened: list[tuple[Path, tuple[str, ...]]] = field(default_factory=list)
    complete: bool = True
    changed: bool = False
    kind: str = ""
    undoing: bool = False


def recover(library: Library) -> None:
    """Settle what was killed: each file counts as written, or as put back, or as not, by its bytes, wherever it is now.

    Where neither a file nor its photo is there, a drive may be away, and the file is settled when it is back; so is one
    that cannot be read now. One that is neither as before nor as it was to become is looked at again each time.
    """
    journal = library.catalog.exports
    being_undone = journal.being_undone()
    for step in journal_steps.within_reach(being_undone, _places(library, being_undone)):
        safe_write.remove_leftovers(Path(step.path).parent)
        back = found_as(step) == "back"
        journal.settle(step.export_id, [step.number], "undone" if back else "done")
        if back:
            own_writes.note(library, {step.photo_id: (Path(step.path), journal_steps.digest_before(step))})
    for export in journal.all():
        if export.finished_at is not None:
            continue
        if _settled(library, journal.steps(export.id, "planned")):
            journal.finish(export.id)
    _settled(library, journal.unclear())


def _settled(library: Library, planned: Sequence[Step]) -> bool:
    """Settle files by what they are now; whether each could be looked at."""
    journal, places = library.catalog.exports, _places(library, planned)
    moved = [journal_steps.moved(step, places.get(step.photo_id)) for step in planned]
    for folder in {Path(step.path).parent for step in (*planned, *moved)}:
        safe_write.remove_leftovers(folder)
    reached = [(step, found_as(step)) for step in journal_steps.within_reach(moved, places)]
    for step, state in reached:
        if state == "written":
            journal.settle(step.export_id, [step.number], "done", path=step.path)
            own_writes.note(library, {step.photo_id: (Path(step.path), step.sha256_after)})
        elif state is not None:
            reason = "interrupted before it was written" if state == "back" else UNCLEAR
            journal.settle(step.export_id, [step.number], "failed", reason)
    return len([step for step, state in reached if state is not None]) == len(planned)


def undo(
    library: Library,
    export_id: int,
    report: ExportReport,
    on_progress: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> None:
    """Put every file of an export back as it was, byte for byte; one that was changed since is left alone.

    Args:
        library: whose journal has the export.
        export_id: which.
        report: told what is done.
        on_progress: told how many files are done, and how many there are.
        stop: asked for each file.

    Raises:
        ExportError: there is no such export, or no way back from it.
    """
    journal, export = library.catalog.exports, _known(library, export_id)
    report.export, report.kind, report.undoing = export_id, export.kind, True
    steps, unclear = journal.steps(export_id, "done"), [one for one in journal.unclear() if one.export_id == export_id]
    if export.forgotten and not export.undone_at:
        raise ExportError(f"the way back from export {export_id} was given up; its files cannot be put back.")
    if not steps and not unclear:
        if export.finished_at and export.files and not export.undone_at:  # stopped, or killed, behind the last file
            journal.finish(export_id, undone=True)
            raise ExportError(f"all files of export {export_id} are put back already.")
        undone = f"was undone at {export.undone_at.astimezone():%Y-%m-%d %H:%M}" if export.undone_at else ""
        raise ExportError(f"export {export_id} {undone or 'wrote nothing'}; there is nothing to put back.")
    for path in (Path(step.path) for step in unclear):
        report.refused.append((path, CHANGED_SINCE if path.exists() else GONE))
    for start in range(0, len(steps), FILES_AT_A_TIME):
        if not _put_back(library, report, steps[::-1][start : start + FILES_AT_A_TIME], stop):
            report.complete = False
            return
        on_progress(min(start + FILES_AT_A_TIME, len(steps)), len(steps))
    if not report.refused:
        journal.finish(export_id, undone=True)


def forget(library: Library, export_id: int) -> list[Export]:
    """Give up the way back from an export and from all before it; gives those that had one, the latest first.

    Where both wrote a file, an earlier one's could not be gone any more. Which tags exports wrote stays known, so that
    one that is rejected is still taken out again.

    Raises:
        UnknownExportError: there is no such export.
        UnsettledError: one of them, or its undoing, has not come to its end.
    """
    last = _known(library, export_id)
    gone = [one for one in library.catalog.exports.all() if one.id <= last.id and not one.forgotten]
    between = {step.export_id for step in library.catalog.exports.being_undone()}
    if killed := [one.id for one in gone if one.finished_at is None or one.id in between]:
        what = "the undoing of export" if killed[-1] in between else "export"
        raise UnsettledError(f"{what} {killed[-1]} was killed, and its files are away. Bring them back, and try again.")
    library.catalog.exports.forget([one.id for one in gone])
    return [one for one in gone if one.undoable]


def _known(library: Library, export_id: int) -> Export:
    found = next((one for one in library.catalog.exports.all() if one.id == export_id), None)
    if found is None:
        raise UnknownExportError(f"there is no export {export_id}. The list of exports names those that there are.")
    return found


def _places(library: Library, steps: Sequence[Step]) -> dict[int, Path]:
    """Where the photos are now that files belong to."""
    return {one.id: one.path for one in library.catalog.photos([step.photo_id for step in steps])}


def _put_back(library: Library, report: ExportReport, steps: Sequence[Step], stop: Callable[[], bool]) -> bool:
    """Put files back; False where `stop` said so before the last was."""
    stopped, back = False, dict[int, tuple[Path, str | None]]()
    journal = library.catalog.exports
    places = _places(library, steps)
    for kept in steps:
        if stopped := stop():
            break
        step = journal_steps.moved(kept, places.get(kept.photo_id))
        journal.settle(step.export_id, [step.number], "done", UNDOING, path=step.path)
        if reason := restore(step, places.get(step.photo_id)):
            report.refused.append((Path(step.path), reason))
            journal.settle(step.export_id, [step.number], "done", path=kept.path)
        else:
            report.written += 1  # before the journal is told, which may fail: the file is put back
            journal.settle(step.export_id, [step.number], "undone")
            back[step.photo_id] = (Path(step.path), journal_steps.digest_before(step))
    own_writes.note(library, back)
    return not stopped
