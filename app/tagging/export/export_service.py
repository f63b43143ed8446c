"""ExportService: writes accepted tags beside photos, or into them, with a preview, a journal, and the way back.

What a sidecar is to hold is `sidecar_plan.py`'s, what a photo's own file is `file_plan.py`'s; nothing is written that
the journal does not hold first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from app.tagging.exiftool import working_folder
from app.tagging.exiftool.exiftool import ExifTool
from app.tagging.exiftool.kept_process import ExifToolError, StoppedError
from app.tagging.export import file_plan, journal_steps, own_writes, safe_write
from app.tagging.export.file_plan import PlannedFile
from app.tagging.export.file_writing import FileRefusedError, ready
from app.tagging.export.iptc_block import IptcError
from app.tagging.export.journal_steps import Ready, is_written, of_sidecar, put, restore
from app.tagging.export.sidecar_plan import Naming, Planned, Refused, Unchanged, habit, plan
from app.tagging.xmp.merge import SidecarError
from indexer.catalog.stores.export_store import UNDOING, Export, Step
from indexer.errors import PicsiftError
from indexer.library import Library

PHOTOS_AT_A_TIME = 500
FILES_AT_A_TIME = 100  # in one transaction of the journal,
BYTES_AT_A_TIME = 64 << 20  # and their bytes in memory

Outcome = Planned | PlannedFile | Refused | Unchanged


class ExportError(PicsiftError):
    """An export cannot be made or undone."""


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
    """

    export: int | None = None
    written: int = 0
    unchanged: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)
    shortened: list[tuple[Path, tuple[str, ...]]] = field(default_factory=list)
    complete: bool = True


class ExportService:
    """Exports of one library."""

    def __init__(self, library: Library):
        self._library = library

    def preview(self, naming: Naming = Naming.auto, *, into_files: bool = False) -> Iterator[Outcome]:
        """What `run` would do to each photo's sidecar, or to its file, now; nothing is written.

        Raises:
            ExifToolError: photos cannot be written into on this machine.
        """
        with ExitStack() as stack:
            yield from self._outcomes(naming, stack.enter_context(ExifTool()) if into_files else None)

    def _outcomes(self, naming: Naming, tool: ExifTool | None) -> Iterator[Outcome]:
        naming = habit(self._library) if naming is Naming.auto else naming
        catalog = self._library.catalog
        ids = catalog.exports.exportable()
        for start in range(0, len(ids), PHOTOS_AT_A_TIME):
            part = ids[start : start + PHOTOS_AT_A_TIME]
            photos, tags = catalog.photos(part), catalog.tags.of(part)
            if tool is None:
                yield from plan(self._library, photos, tags, naming)
            else:
                yield from file_plan.plan(self._library, photos, tags, tool)

    def run(
        self,
        naming: Naming = Naming.auto,
        *,
        into_files: bool = False,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> ExportReport:
        """Write the sidecars. An export that was killed is brought to its end first, so that it can be undone.

        Args:
            naming: of new sidecars.
            into_files: write into the photos themselves instead, with ExifTool.
            on_progress: told how many photos are done.
            stop: asked for each photo; what is done by then is kept.

        Raises:
            LibraryLockedError: another process writes to the library.
            ExifToolError: photos cannot be written into on this machine.
        """
        report, waiting, kind = ExportReport(), list[Ready](), "files" if into_files else "sidecars"
        with ExitStack() as stack:
            stack.enter_context(self._library.writer_lock())
            working_folder.remove_leftovers(self._library.folder)
            tool = stack.enter_context(ExifTool(self._library.folder, stop=stop)) if into_files else None
            self.recover()
            try:
                for number, outcome in enumerate(self._outcomes(naming, tool), start=1):
                    if stop():
                        raise StoppedError("it was stopped")
                    if (file := _made(outcome, tool, report)) is not None:
                        waiting.append(file)
                    if len(waiting) >= FILES_AT_A_TIME or sum(len(one.after) for one in waiting) >= BYTES_AT_A_TIME:
                        self._write(report, waiting, kind)
                        waiting = []
                    on_progress(number, 0)
            except StoppedError:
                report.complete = False
            self._write(report, waiting, kind)
            if report.export is not None:
                self._library.catalog.exports.finish(report.export)
        return report

    def recover(self) -> None:
        """Settle what was killed: each file counts as written, or as put back, or as not, by its bytes.

        Where neither a file nor its photo is there, a drive may be away, and the file is settled when it is back.
        """
        journal = self._library.catalog.exports
        being_undone = journal.being_undone()
        for step in journal_steps.within_reach(being_undone, self._places(being_undone)):
            safe_write.remove_leftovers(Path(step.path).parent)
            back = journal_steps.is_back(step)
            journal.settle(step.export_id, [step.number], "undone" if back else "done")
            if back:
                own_writes.note(self._library, {step.photo_id: (Path(step.path), journal_steps.digest_before(step))})
        for export in journal.all():
            if export.finished_at is not None:
                continue
            planned = journal.steps(export.id, "planned")
            reached = journal_steps.within_reach(planned, self._places(planned))
            for step in reached:
                safe_write.remove_leftovers(Path(step.path).parent)
                done = is_written(step)
                journal.settle(export.id, [step.number], "done" if done else "failed", None if done else "interrupted")
                if done:
                    own_writes.note(self._library, {step.photo_id: (Path(step.path), step.sha256_after)})
            if len(reached) == len(planned):
                journal.finish(export.id)

    def _places(self, steps: Sequence[Step]) -> dict[int, Path]:
        """Where the photos are now that files belong to."""
        return {one.id: one.path for one in self._library.catalog.photos([step.photo_id for step in steps])}

    def history(self) -> list[Export]:
        """Every export, the latest first."""
        return self._library.catalog.exports.all()

    def undo(self, export_id: int, *, stop: Callable[[], bool] = lambda: False) -> ExportReport:
        """Put every file of an export back as it was, byte for byte; one that was changed since is left alone.

        Raises:
            ExportError: there is no such export.
            LibraryLockedError: another process writes to the library.
        """
        with self._library.writer_lock():
            self.recover()
            journal, report = self._library.catalog.exports, ExportReport(export_id)
            export = next((one for one in journal.all() if one.id == export_id), None)
            if export is None:
                raise ExportError(f"there is no export {export_id}. 'picsift export --history' lists them.")
            steps = journal.steps(export_id, "done")
            if not steps:
                undone = f"was undone at {export.undone_at.astimezone():%Y-%m-%d %H:%M}" if export.undone_at else ""
                raise ExportError(f"export {export_id} {undone or 'wrote nothing'}; there is nothing to put back.")
            for start in range(0, len(steps), FILES_AT_A_TIME):
                if not self._put_back(report, steps[::-1][start : start + FILES_AT_A_TIME], stop):
                    report.complete = False
                    return report
            if not report.refused:
                journal.finish(export_id, undone=True)
        return report

    def _put_back(self, report: ExportReport, steps: Sequence[Step], stop: Callable[[], bool]) -> bool:
        """Put files back; False where `stop` said so before the last."""
        back: dict[int, tuple[Path, str | None]] = {}
        journal = self._library.catalog.exports
        places = self._places(steps)
        for kept in steps:
            if stop():
                break
            step = journal_steps.moved(kept, places.get(kept.photo_id))
            journal.settle(step.export_id, [step.number], "done", UNDOING, path=step.path)
            if reason := restore(step, places.get(step.photo_id)):
                report.refused.append((Path(step.path), reason))
                journal.settle(step.export_id, [step.number], "done", path=kept.path)
            else:
                journal.settle(step.export_id, [step.number], "undone")
                back[step.photo_id] = (Path(step.path), journal_steps.digest_before(step))
                report.written += 1
        own_writes.note(self._library, back)
        return not stop()

    def _write(self, report: ExportReport, files: Sequence[Ready], kind: str) -> None:
        if not files:
            return
        journal = self._library.catalog.exports
        if report.export is None:
            report.export = journal.begin(kind)
        numbers = journal.plan(report.export, [file.step for file in files])
        done: dict[int, Step] = {}
        for number, file in zip(numbers, files, strict=True):
            if reason := put(file):
                journal.settle(report.export, [number], "failed", reason)
                report.refused.append((Path(file.step.path), reason))
            else:
                done[number] = file.step
        journal.settle(report.export, list(done), "done")
        own_writes.note(self._library, {step.photo_id: (Path(step.path), step.sha256_after) for step in done.values()})
        report.written += len(done)


def _made(outcome: Outcome, tool: ExifTool | None, report: ExportReport) -> Ready | None:
    """What is to be written; None where that is nothing, which the report says."""
    if isinstance(outcome, Planned):
        return of_sidecar(outcome)
    if isinstance(outcome, PlannedFile) and tool is not None:
        try:
            made = ready(outcome, tool)
        except (FileRefusedError, ExifToolError, SidecarError, IptcError) as error:
            report.refused.append((outcome.path, str(error)))
            return None
        except OSError as error:
            report.refused.append((outcome.path, f"it cannot be written: {error.strerror}."))
            return None
        if made is not None:
            report.shortened += [(outcome.path, outcome.change.shortened)] if outcome.change.shortened else []
            return made
    if isinstance(outcome, Refused):
        report.refused.append((outcome.path, outcome.reason))
    else:
        report.unchanged += 1
    return None
