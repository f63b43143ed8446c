"""ExportService: writes accepted tags beside photos, or into them, with a preview, a journal, and the way back.

What a sidecar is to hold is `sidecar_plan.py`'s, what a photo's own file is `file_plan.py`'s; nothing is written that
the journal does not hold first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.tagging.exiftool import working_folder
from app.tagging.exiftool.exiftool import ExifTool
from app.tagging.exiftool.kept_process import StoppedError
from app.tagging.export import file_plan, own_writes, plan_token, way_back
from app.tagging.export.file_writing import made
from app.tagging.export.journal_steps import UNKNOWN, Ready, put
from app.tagging.export.plan_token import Outcome
from app.tagging.export.sidecar_plan import Folders, Naming, habit, plan
from app.tagging.export.way_back import FILES_AT_A_TIME, ExportReport
from indexer.catalog.journal.records import UNCLEAR, Export, Step
from indexer.library import Library

PHOTOS_AT_A_TIME = 500
BYTES_AT_A_TIME = 64 << 20  # in memory


class PreviewPage(NamedTuple):
    """A part of what an export would do.

    Attributes:
        outcomes: of its photos, in the order in which an export takes them.
        photos: how many have something to say, on all pages.
        naming: what new sidecars would be called.
        following: whether there is another page.
    """

    outcomes: list[Outcome]
    photos: int
    naming: Naming
    following: bool


class ExportService:
    """Exports of one library."""

    def __init__(self, library: Library):
        self._library, self._folders = library, Folders()
        self._listed: tuple[tuple[int, int], NDArray[np.int64], Naming] | None = None

    def preview(self, naming: Naming = Naming.auto, *, into_files: bool = False) -> Iterator[Outcome]:
        """What `run` would do to each photo's sidecar, or to its file, now; nothing is written.

        Raises:
            ExifToolError: photos cannot be written into on this machine.
        """
        with ExitStack() as stack:
            tool = stack.enter_context(ExifTool()) if into_files else None
            yield from chain.from_iterable(self._parts(naming, tool))

    def preview_page(self, number: int, naming: Naming = Naming.auto, *, into_files: bool = False) -> PreviewPage:
        """A part of the same, from 0 on, as an export takes photos together; raises as `preview` does."""
        ids, usual = self._whole()
        naming = usual if naming is Naming.auto else naming
        part = ids[number * PHOTOS_AT_A_TIME : (number + 1) * PHOTOS_AT_A_TIME].tolist()
        with ExitStack() as stack:
            tool = stack.enter_context(ExifTool()) if into_files else None
            outcomes = list(self._outcomes(part, naming, tool))
        return PreviewPage(outcomes, len(ids), naming, (number + 1) * PHOTOS_AT_A_TIME < len(ids))

    def _whole(self) -> tuple[NDArray[np.int64], Naming]:
        """The photos that have something to say, and what new sidecars are called if nobody says.

        Looked up once for all pages between which nothing changes: it takes seconds in a library of a million.
        """
        version, known = self._library.catalog.version(), self._listed
        if known is None or known[0] != version:
            ids = np.array(self._library.catalog.exports.exportable(), dtype=np.int64)
            self._listed = known = version, ids, habit(self._library)
        return known[1:]

    def _parts(self, naming: Naming, tool: ExifTool | None) -> Iterator[Iterator[Outcome]]:
        naming = habit(self._library) if naming is Naming.auto else naming
        ids = self._library.catalog.exports.exportable()
        for start in range(0, len(ids), PHOTOS_AT_A_TIME):
            yield self._outcomes(ids[start : start + PHOTOS_AT_A_TIME], naming, tool)

    def _outcomes(self, ids: Sequence[int], naming: Naming, tool: ExifTool | None) -> Iterator[Outcome]:
        photos, tags = self._library.catalog.photos(ids), self._library.catalog.tags.of(ids)
        if tool is None:
            return plan(self._library, photos, tags, naming, self._folders)
        return file_plan.plan(self._library, photos, tags, tool)

    def run(
        self,
        naming: Naming = Naming.auto,
        *,
        into_files: bool = False,
        token: str | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
        report: ExportReport | None = None,
    ) -> ExportReport:
        """Write the sidecars. An export that was killed is brought to its end first, so that it can be undone.

        Args:
            naming: of new sidecars.
            into_files: write into the photos themselves instead, with ExifTool.
            token: of the whole plan, as a preview gives it; where the plan is another one by now, nothing is written.
            on_progress: told how many photos are done.
            stop: asked for each photo; what is done by then is kept.
            report: told what is done as it is, for a caller who wants to know that after an error too.

        Raises:
            LibraryLockedError: another process writes to the library.
            ExifToolError: photos cannot be written into on this machine.
        """
        report = ExportReport() if report is None else report
        report.kind = "files" if into_files else "sidecars"
        self._folders = Folders()  # what previews saw of folders is not what is written by
        with ExitStack() as stack:
            stack.enter_context(self._library.writer_lock())
            working_folder.remove_leftovers(self._library.folder)
            tool = stack.enter_context(ExifTool(self._library.folder, stop=stop)) if into_files else None
            self.recover()
            try:
                shown = None if token is None else self._tokens(naming, tool, stop)
                report.changed = shown is not None and shown[-1] != token
                if not report.changed:
                    self._run(report, self._parts(naming, tool), shown, tool, on_progress, stop)
            except StoppedError:
                report.complete = False
            report.complete = report.complete and not report.changed
            if report.export is not None:
                self._library.catalog.exports.finish(report.export)
            self._library.catalog.exports.tidy()
        return report

    def _tokens(self, naming: Naming, tool: ExifTool | None, stop: Callable[[], bool]) -> list[str]:
        """The token of the plan as it is now, after each of its parts."""
        tokens = [plan_token.START]
        for part in self._parts(naming, tool):
            tokens.append(plan_token.extended(tokens[-1], part))
            if stop():
                raise StoppedError("it was stopped")
        return tokens

    def _run(
        self,
        report: ExportReport,
        parts: Iterable[Iterable[Outcome]],
        shown: Sequence[str] | None,
        tool: ExifTool | None,
        on_progress: Callable[[int, int], None],
        stop: Callable[[], bool],
    ) -> None:
        """Write what is planned, part by part, each only if it is what was shown."""
        waiting, number, at = list[Ready](), 0, -1
        try:
            for at, part in enumerate(parts):
                planned = part if shown is None else list(part)
                if shown is not None and shown[at + 1 : at + 2] != [plan_token.extended(shown[at], planned)]:
                    report.changed = True
                    break
                for outcome in planned:
                    if stop():
                        raise StoppedError("it was stopped")
                    if (file := made(outcome, tool, report)) is not None:
                        waiting.append(file)
                    if len(waiting) >= FILES_AT_A_TIME or sum(len(one.after) for one in waiting) >= BYTES_AT_A_TIME:
                        self._write(report, waiting)
                        waiting = []
                    on_progress(number := number + 1, 0)
            else:  # photos that are to be written may have gone since
                report.changed = shown is not None and shown[min(at + 1, len(shown) - 1)] != shown[-1]
        except StoppedError:
            report.complete = False
        self._write(report, waiting)

    def recover(self) -> None:
        """Settle what was killed, as the files tell; the caller holds the writer lock."""
        way_back.recover(self._library)

    def history(self) -> list[Export]:
        """Every export, the latest first."""
        return self._library.catalog.exports.all()

    def journal_size(self) -> tuple[int, int]:
        """How many entries of files the journal has, and about how many bytes they take in the library."""
        return self._library.catalog.exports.size()

    def undo(
        self,
        export_id: int,
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
        report: ExportReport | None = None,
    ) -> ExportReport:
        """Put every file of an export back as it was, byte for byte; one that was changed since is left alone.

        The options are those of `run`.

        Raises:
            ExportError: there is no such export, or no way back from it.
            LibraryLockedError: another process writes to the library.
        """
        report = ExportReport() if report is None else report
        with self._library.writer_lock():
            self.recover()
            way_back.undo(self._library, export_id, report, on_progress, stop)
            self._library.catalog.exports.tidy()
            return report

    def forget(self, export_id: int) -> list[Export]:
        """Give up the way back from an export and from all before it; gives those that had one, the latest first.

        Raises:
            UnknownExportError: there is no such export.
            UnsettledError: one of them has not come to its end.
            LibraryLockedError: another process writes to the library.
        """
        with self._library.writer_lock():
            self.recover()
            return way_back.forget(self._library, export_id)

    def _write(self, report: ExportReport, files: Sequence[Ready]) -> None:
        if not files:
            return
        journal = self._library.catalog.exports
        if report.export is None:
            report.export = journal.begin(report.kind)
        numbers = journal.plan(report.export, [file.step for file in files])
        done: dict[int, Step] = {}
        for number, file in zip(numbers, files, strict=True):
            if reason := put(file):
                journal.settle(report.export, [number], "failed", reason)
                report.refused.append((Path(file.step.path), UNKNOWN if reason == UNCLEAR else reason))
            else:
                done[number] = file.step
                report.written += 1  # before the journal is told, which may fail: the file is written
                report.shortened += [(Path(file.step.path), file.shortened)] if file.shortened else []
        journal.settle(report.export, list(done), "done")
        own_writes.note(self._library, {step.photo_id: (Path(step.path), step.sha256_after) for step in done.values()})
