"""The daemon: brings every root in step once, then follows changes until it is stopped.

It holds no truth of its own: what it forgets by being killed, the next start's first run finds. What looks at folders
is `sync()`; what happened to them comes from `watcher.py` through `changes.py`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from indexer.embedder import Chosen, Embedder
from indexer.errors import LibraryError, LibraryLockedError, NewerLibraryError, RootError
from indexer.folders.ignoring import NOTHING_MORE, Ignoring
from indexer.folders.removing import Removals
from indexer.library import Library
from indexer.metadata import places
from indexer.pictures import images
from indexer.pipeline import Progress, SyncReport, sync
from indexer.watching.activity import ActivityLog
from indexer.watching.agenda import Agenda
from indexer.watching.changes import Kind
from indexer.watching.clocks import Clocks
from indexer.watching.mounting import mount_points
from indexer.watching.pacing import Pacer, workers_for
from indexer.watching.passing import passes
from indexer.watching.polling import Poller
from indexer.watching.retrying import Pauses, Retries
from indexer.watching.watcher import Mode, Watcher
from indexer.workers.isolation import WorkerPool

logger = logging.getLogger(__name__)

SETTLE_MS = 2000
PATIENCE_S = 120.0  # a batch is taken at the latest this long after its first change
FULL_SCAN_H = 6.0
UNLOAD_S = 300.0
TICK_S = 0.5
CHECK_S = 10.0  # between two looks at whether roots came or went


class Daemon:
    """Follows the library's roots; `run` works in the thread that calls it."""

    def __init__(
        self,
        library: Library,
        embedder: Embedder,
        activity: ActivityLog,
        *,
        mode: Mode = "auto",
        settle_ms: int = SETTLE_MS,
        full_scan_h: float = FULL_SCAN_H,
        idle_unload_s: float = UNLOAD_S,
        max_cpu: int = 100,
        workers: int = 0,
        batch_size: int = 0,
        max_pixels: int = images.DEFAULT_MAX_PIXELS,
        check_s: float = CHECK_S,
        on_batch: Callable[[SyncReport], None] = lambda report: None,
        ignoring: Ignoring = NOTHING_MORE,
        videos: bool | None = None,
        pool: WorkerPool | None = None,
        retries: Retries | None = None,
        pauses: Pauses | None = None,
        choose: Callable[[], Chosen] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            library: what is kept in step.
            embedder: the model that photos are embedded with at first.
            activity: where this process says what it does.
            mode: "auto", or "native" or "polling" for all roots.
            settle_ms: milliseconds after which a file that nobody writes to counts as whole, and a burst as over.
            full_scan_h: hours between two looks at everything, for what no event told of.
            idle_unload_s: seconds without work after which the model leaves the memory; 0 keeps it.
            max_cpu: percent of all processors.
            workers: as for `sync`.
            batch_size: as for `sync`.
            max_pixels: as for `sync`.
            check_s: seconds between two looks at whether roots came or went.
            on_batch: told of every run that changed something, and of the first.
            ignoring: as for `sync`.
            videos: as for `sync`.
            pool: decodes; its processes end after each run, so that they take no memory while nothing happens.
            retries: when failed photos are tried again.
            pauses: how long to wait when the library cannot be written.
            choose: asked before each run which model it embeds with; None keeps the first one.
        """
        self._library, self._embedder, self._activity = library, embedder, activity
        self._choose = choose or (lambda: Chosen(embedder, asked=True))
        self._settle_s, self._full_scan_s, self._unload_s = settle_ms / 1000, full_scan_h * 3600, idle_unload_s
        self._check_s, self._on_batch, self._ignoring, self._videos = check_s, on_batch, ignoring, videos
        pool = self._pool = pool or WorkerPool()
        self._pacer = Pacer(max_cpu, cpu_s=lambda: time.process_time() + pool.cpu_s)
        self._workers, self._batch_size, self._max_pixels = workers_for(max_cpu, workers), batch_size, max_pixels
        self._retries, self._pauses, self._removals = retries or Retries(), pauses or Pauses(), Removals()
        self._agenda = Agenda(self._settle_s, PATIENCE_S)
        poller = Poller(self._agenda.note, library=library.folder, settle_s=self._settle_s, ignoring=ignoring)
        self._watcher = Watcher(poller, mode=mode, points=mount_points(self._remembered_mounts))
        self._roots, self._said, self._clocks = list[Path](), set[str](), Clocks()
        self._last_full = self._last_check = -math.inf  # never
        self._batches, self._not_before, self._opened, self._last_work = 0, 0.0, 0, time.monotonic()
        self.stopped = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Bring everything in step, then follow changes until `stop` is set.

        Raises:
            ModelError: the model cannot be used from the start.
            NewerLibraryError: a newer picsift has upgraded the library meanwhile.
        """
        self.stopped = stop
        try:
            while not stop.is_set():
                try:
                    self._tick()
                except Exception as error:
                    if not passes(error, has_worked=bool(self._batches)):
                        raise
                    self._wait(f"work stops for now: {error or type(error).__name__}", self._pauses.broken())
                stop.wait(min(TICK_S, self._settle_s / 2))
        finally:
            self._watcher.close()

    def ways(self) -> dict[Path, str]:
        """How each root is followed: "native" or "polling"."""
        return self._watcher.ways()

    def _tick(self) -> None:
        now = time.monotonic()
        if self._clocks.jumped():
            logger.info("the clock jumped, or the machine slept: everything is looked at")
            self._owe_everything()
        for point in self._watcher.remounted():
            self._agenda.note(Kind.FOLDER, point)
            self._last_check = -math.inf
        if now - self._last_check >= self._check_s:
            self._last_check = now
            self._follow()
            self._agenda.add(self._watcher.check())
        if now - self._last_full >= self._full_scan_s:
            self._owe_everything()
        self._agenda.gather(now)
        self._agenda.add((Path(path).parent for path in self._retries.due(now)), deep=False)
        if self._agenda and now >= self._not_before:
            self._work()
        elif not self._agenda:
            self._activity.state("idle", queue=self._agenda.waiting)
            self._maybe_unload(now)

    def _follow(self) -> None:
        """Follow the roots that the library knows by now: another process may have added some, or restored it."""
        try:
            opened, _ = self._library.catalog.version()
            self._roots = [root.path for root in self._library.catalog.root_paths()]
        except NewerLibraryError:
            raise
        except LibraryError:  # busy, or there is no file to be had for it at the moment: the next look will tell
            return
        self._agenda.add(self._watcher.follow(self._roots))
        if opened != self._opened:
            self._opened, self._last_full = opened, -math.inf  # no event told of what another file lacks

    def _remembered_mounts(self) -> list[str]:
        """The folders of all roots that are or were mount points; none while the library is busy."""
        try:
            return self._library.catalog.mount_points()
        except LibraryError:
            return []

    def _owe_everything(self) -> None:
        self._last_full = time.monotonic()
        self._said.clear()
        self._agenda.add_all(self._roots)

    def _work(self) -> None:
        """One run over all that is owed. What cannot be done now stays owed."""
        targets, written = self._agenda.targets(self._roots), self._agenda.written()
        if not any(targets):
            return
        try:
            report = self._sync(*targets, written)
        except RootError as error:  # a folder went between the look and the run: its parent comes next
            self._wait(str(error), self._settle_s)
        except LibraryLockedError as error:
            self._wait(f"waiting: {error}", self._pauses.locked())
        else:
            self._pauses.over()
            if not self.stopped.is_set():
                self._agenda.done(written, report.held_back)
            self._take_in(report)
        finally:
            self._last_work = time.monotonic()

    def _sync(self, folders: Sequence[Path], shallow: Sequence[Path], written: Collection[str]) -> SyncReport:
        chosen = self._choose()
        if chosen.embedder is not self._embedder:
            self._embedder.unload()
            self._embedder = chosen.embedder
        with self._pool:
            return sync(
                *(self._library, self._embedder, folders),
                workers=self._workers,
                batch_size=self._batch_size,
                max_pixels=self._max_pixels,
                on_progress=self._on_progress,
                stop=self.stopped.is_set,
                pool=self._pool,
                ignoring=self._ignoring,
                leave=self._agenda.leave,
                written=written,
                shallow=shallow,
                asked=chosen.asked,
                videos=self._videos,
                removals=self._removals,
                lazy_index=not self._agenda.everything,
            )

    def _on_progress(self, progress: Progress) -> None:
        self._activity.progress(progress)
        self._pacer.rest(self.stopped.is_set)

    def _wait(self, reason: str, pause_s: float) -> None:
        """Say once why nothing goes on, and try again after a pause."""
        if self._pauses.is_new(reason):
            logger.warning("%s", reason)
        self._activity.state("waiting", reason)
        self._not_before = time.monotonic() + pause_s

    def _take_in(self, report: SyncReport) -> None:
        self._activity.report(report)
        self._retries.take_in([path for path, _ in report.failures], report.temporary, time.monotonic())
        for message in [new for new in dict.fromkeys(report.messages) if new not in self._said]:
            logger.warning("%s", message)
        self._said.update(report.messages)
        self._batches += 1
        if self._batches == 1 or report.added + report.updated + report.moved + report.removed + report.failed:
            self._on_batch(report)

    def _maybe_unload(self, now: float) -> None:
        if self._unload_s and self._embedder.holds_memory and now - self._last_work >= self._unload_s:
            places.unload()
            self._embedder.unload()
            logger.info("the model has left the memory until it is needed again")
