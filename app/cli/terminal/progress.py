"""The progress of long work on standard error: a bar on a terminal, a line now and then elsewhere, or nothing.

It shows what it is told; it counts nothing itself.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from indexer.pipeline import Progress

LINE_EVERY_S = 10.0
MEASURED_FROM = 10  # photos; before them the model is still loading, and a rate would say nothing
STAGES = {"scan": "Looking for photos", "embed": "Indexing photos", "done": "Done"}


class _RateColumn(ProgressColumn):
    """Photos a second."""

    def render(self, task: Task) -> Text:
        rate = task.fields.get("mean") or task.finished_speed or task.speed
        return Text(f"{rate:.1f} photos/s" if rate else "– photos/s", style="progress.data.speed")


class IndexProgress:
    """What `sync(on_progress=...)` is given: called with each step, it redraws what stands on the terminal."""

    def __init__(self, bar: Bar | None):
        self._bar = bar
        self._task = None if bar is None else bar.add_task(STAGES["scan"], total=None, failed="")
        self._last_line = time.monotonic()
        self._mean = 0.0  # photos a second, over all of them

    def __call__(self, progress: Progress) -> None:
        """Show this step; the last of them stays on the terminal, and says how many photos a second it was in all."""
        if progress.stage == "embed" and progress.seconds > 0:
            self._mean = progress.done / progress.seconds
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task,
                description=STAGES.get(progress.stage, progress.stage),
                completed=progress.done,
                total=progress.total or None,
                failed=f"{progress.failed:,} failed" if progress.failed else "",
                mean=self._mean if progress.stage == "done" else 0.0,
            )
            self._bar.live.transient = not (progress.stage == "done" and progress.total)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            print(line(progress), file=sys.stderr, flush=True)  # noqa: T201


def line(progress: Progress) -> str:
    """One line that says how far the work is."""
    measured = progress.seconds > 0 and progress.done >= MEASURED_FROM
    rate = progress.done / progress.seconds if measured else 0.0
    left = (progress.total - progress.done) / rate if rate else None
    stage = STAGES.get(progress.stage, progress.stage)
    parts = [f"{stage}: {progress.done:,} of {progress.total:,}" if progress.total else stage]
    parts += [f"{rate:.1f} photos/s"] if rate else []
    parts += [f"{left:.0f} s left"] if left is not None and progress.total > progress.done else []
    parts += [f"{progress.failed:,} failed"] if progress.failed else []
    return ", ".join(parts)


@contextmanager
def index_progress(*, quiet: bool) -> Iterator[IndexProgress | None]:
    """What to hand to `sync`; None when nothing shall be shown."""
    if quiet:
        yield None
        return
    bar = _bar() if sys.stderr.isatty() else None
    with bar if bar is not None else nullcontext():
        yield IndexProgress(bar)


@contextmanager
def counting(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """What to tell how many of how many (0: nobody knows) are done; it shows a bar on a terminal, unless `quiet`."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with Bar(TextColumn(what), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


@contextmanager
def fetching(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """What to tell how many bytes of how many are here: a bar on a terminal, a line now and then elsewhere."""
    if quiet:
        yield lambda done, total: None
        return
    if not sys.stderr.isatty():
        yield _Lines(what)
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


class _Lines:
    """A line on how many megabytes are here, now and then."""

    def __init__(self, what: str):
        self._what, self._last = what, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._last >= LINE_EVERY_S:
            self._last = time.monotonic()
            print(f"{self._what}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB", file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def counting_in_turn(*stages: str, quiet: bool) -> Iterator[list[Callable[[int, int], None]]]:
    """As `counting`, for work in stages that share one bar: what to tell for each of them."""
    if quiet or not sys.stderr.isatty():
        yield [lambda done, total: None for _ in stages]
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(stages[0], total=None)

        def of(stage: str) -> Callable[[int, int], None]:
            return lambda done, total: bar.update(task, description=stage, completed=done, total=total or None)

        yield [of(stage) for stage in stages]


def _bar() -> Bar:
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[failed]}", style="yellow"),
        console=Console(stderr=True),
        transient=True,
    )
