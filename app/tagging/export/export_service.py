"""ExportService: writes accepted tags beside photos, with a preview, a journal, and the way back.

What a sidecar is to hold is `sidecar_plan.py`'s; nothing is written that the journal does not hold first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.tagging.export import safe_write
from app.tagging.export.sidecar_plan import Naming, Outcome, Planned, Refused, habit, plan
from indexer.catalog.stores.export_store import Export, Step
from indexer.errors import PicsiftError
from indexer.library import Library

PHOTOS_AT_A_TIME = 500
FILES_AT_A_TIME = 100  # in one transaction of the journal
CHANGED = "it was changed while the export ran. Export again."
CHANGED_SINCE = "it was changed since the export, and is left as it is."


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
        complete: False where it was stopped before its end.
    """

    export: int | None = None
    written: int = 0
    unchanged: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)
    complete: bool = True


class ExportService:
    """Exports of one library."""

    def __init__(self, library: Library):
        self._library = library

    def preview(self, naming: Naming = Naming.auto) -> Iterator[Outcome]:
        """What `run` would do to each photo's sidecar now; nothing is written."""
        naming = habit(self._library) if naming is Naming.auto else naming
        catalog = self._library.catalog
        ids = catalog.exports.exportable()
        for start in range(0, len(ids), PHOTOS_AT_A_TIME):
            part = ids[start : start + PHOTOS_AT_A_TIME]
            yield from plan(self._library, catalog.photos(part), catalog.tags.of(part), naming)

    def run(
        self,
        naming: Naming = Naming.auto,
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> ExportReport:
        """Write the sidecars. An export that was killed is brought to its end first, so that it can be undone.

        Raises:
            LibraryLockedError: another process writes to the library.
        """
        report, waiting = ExportReport(), list[Planned]()
        with self._library.writer_lock():
            self.recover()
            for number, outcome in enumerate(self.preview(naming), start=1):
                if stop():
                    report.complete = False
                    break
                if isinstance(outcome, Planned):
                    waiting.append(outcome)
                elif isinstance(outcome, Refused):
                    report.refused.append((outcome.path, outcome.reason))
                else:
                    report.unchanged += 1
                if len(waiting) >= FILES_AT_A_TIME:
                    self._write(report, waiting)
                    waiting = []
                on_progress(number, 0)
            self._write(report, waiting)
            if report.export is not None:
                self._library.catalog.exports.finish(report.export)
        return report

    def recover(self) -> None:
        """Settle the exports that were killed: each file counts as written or as not, by its bytes."""
        journal = self._library.catalog.exports
        for export in journal.all():
            if export.finished_at is not None:
                continue
            for step in journal.steps(export.id, "planned"):
                safe_write.remove_leftovers(Path(step.path).parent)
                done = _digest(step.path) == step.sha256_after
                journal.settle(export.id, [step.number], "done" if done else "failed", None if done else "interrupted")
            journal.finish(export.id)

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
            if export_id not in {export.id for export in journal.all()}:
                raise ExportError(f"there is no export {export_id}. 'picsift export --history' lists them.")
            for step in reversed(journal.steps(export_id, "done")):
                if stop():
                    report.complete = False
                    return report
                if reason := _restore(step):
                    report.refused.append((Path(step.path), reason))
                else:
                    journal.settle(export_id, [step.number], "undone")
                    report.written += 1
            journal.finish(export_id, undone=True)
        return report

    def _write(self, report: ExportReport, files: Sequence[Planned]) -> None:
        if not files:
            return
        journal = self._library.catalog.exports
        if report.export is None:
            report.export = journal.begin("sidecars")
        numbers = journal.plan(report.export, [_step(file) for file in files])
        done = []
        for number, file in zip(numbers, files, strict=True):
            if reason := _put(file):
                journal.settle(report.export, [number], "failed", reason)
                report.refused.append((file.path, reason))
            else:
                done.append(number)
        journal.settle(report.export, done, "done")
        report.written += len(done)


def _step(file: Planned) -> Step:
    after = hashlib.sha256(file.after).hexdigest()
    return Step(file.photo.id, str(file.path), file.before, after, file.added, file.mode, file.mtime_ns)


def _put(file: Planned) -> str | None:
    """Write one file; a sentence where it was left as it is."""
    expected = None if file.before is None else hashlib.sha256(file.before).hexdigest()
    try:
        if safe_write.digest(file.path) != expected:
            return CHANGED
        safe_write.replace(file.path, file.after, mode=file.mode)
    except OSError as error:
        return f"it cannot be written: {error.strerror}."
    return None


def _restore(step: Step) -> str | None:
    """Put one file back; a sentence where it was left as it is."""
    path = Path(step.path)
    try:
        found = safe_write.digest(path)
        if found == (None if step.before is None else hashlib.sha256(step.before).hexdigest()):
            return None  # a kill came between the file and the journal
        if found != step.sha256_after:
            return CHANGED_SINCE
        if step.before is None:
            path.unlink()
            safe_write.sync_folder(path.parent)
        else:
            safe_write.replace(path, step.before, mode=step.mode, mtime_ns=step.mtime_ns)
    except OSError as error:
        return f"it cannot be put back: {error.strerror}."
    return None


def _digest(path: str) -> str | None:
    try:
        return safe_write.digest(Path(path))
    except OSError:
        return None
