"""What a process that works on the library is doing, in a small file that other processes read cheaply.

Each process has a file of its own, replaced as a whole. What a dead process left is known by its pid and start time.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.pipeline import Progress, SyncReport

logger = logging.getLogger(__name__)

FOLDER = "activity"
KEPT_ERRORS = 5
WRITE_EVERY_S = 0.5
MEASURED_FROM = 10  # photos; before them the model is still loading, and a rate would say nothing
BUSY = ("scanning", "indexing")


@dataclass(frozen=True)
class Activity:
    """One process at one moment.

    Attributes:
        pid: of the process.
        born: when the process started, in the system's own terms; with the pid it names one process ever.
        command: "index", "watch" or "serve".
        state: "starting", "scanning", "indexing", "idle" or "waiting".
        detail: what it waits for; "" in other states.
        queue: photos still to be dealt with; while idle, changes that have not settled yet.
        done: photos dealt with in this run.
        total: photos to deal with in this run.
        failed: how many of those done have failed.
        photos_per_s: None until it can be told.
        remaining_s: seconds until this run is done; None until it can be told.
        errors: path and reason of the last failures.
        at: when this was written, ISO 8601 in UTC.
    """

    pid: int
    born: str
    command: str
    state: str = "starting"
    detail: str = ""
    queue: int = 0
    done: int = 0
    total: int = 0
    failed: int = 0
    photos_per_s: float | None = None
    remaining_s: float | None = None
    errors: tuple[tuple[str, str], ...] = ()
    at: str = ""


class ActivityLog:
    """Keeps this process's file; it is written when the state changes, and else at most twice a second."""

    def __init__(self, library: Path, command: str) -> None:
        """Write the first state, and remove what dead processes left."""
        self._folder = library / FOLDER
        self._file = self._folder / f"{os.getpid()}-{command}.json"
        self._written = -WRITE_EVERY_S
        self.now = Activity(os.getpid(), born(os.getpid()), command)
        for file, activity in _files(library):
            if activity is None or not _lives(activity):
                with suppress(OSError):
                    file.unlink()
        self._write()

    def state(self, state: str, detail: str = "", *, queue: int = 0) -> None:
        """Enter a state other than the work itself."""
        if (self.now.state, self.now.detail, self.now.queue) == (state, detail, queue):
            return
        changed = (self.now.state, self.now.detail) != (state, detail)
        self.now = replace(self.now, state=state, detail=detail, queue=queue, photos_per_s=None, remaining_s=None)
        self._write(force=changed)

    def progress(self, progress: Progress) -> None:
        """Take in one step of a run; for `sync(on_progress=...)`."""
        state = {"scan": "scanning", "embed": "indexing"}.get(progress.stage, "idle")
        measured = progress.done >= MEASURED_FROM and progress.seconds > 0
        rate = progress.done / progress.seconds if measured else None
        left = max(progress.total - progress.done, 0)
        changed = state != self.now.state
        self.now = replace(
            self.now,
            state=state,
            detail="",
            queue=left,
            done=progress.done,
            total=progress.total,
            failed=progress.failed,
            photos_per_s=round(rate, 2) if rate and state == "indexing" else None,
            remaining_s=round(left / rate, 1) if rate and state == "indexing" else None,
        )
        self._write(force=changed)

    def report(self, report: SyncReport) -> None:
        """Take in how a run ended."""
        errors = (*self.now.errors, *report.failures)[-KEPT_ERRORS:]
        self.now = replace(self.now, errors=tuple(errors), state="idle", detail="", queue=0)
        self._write()

    def close(self) -> None:
        """The process works on the library no more."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _write(self, *, force: bool = True) -> None:
        if not force and time.monotonic() - self._written < WRITE_EVERY_S:
            return
        self._written = time.monotonic()
        self.now = replace(self.now, at=datetime.now(UTC).isoformat(timespec="milliseconds"))
        partial = self._file.with_suffix(".new")
        try:
            self._folder.mkdir(exist_ok=True)
            partial.write_text(json.dumps(asdict(self.now)), encoding="ascii")
            partial.replace(self._file)
        except OSError as error:  # a full disk, say: the work itself will say so
            logger.debug("the activity could not be written: %s", error)
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def read_activity(library: Path) -> Activity | None:
    """What is being done to the library: of several processes the one that works; None where nobody does anything."""
    living = [activity for _, activity in _files(library) if activity is not None and _lives(activity)]
    return max(living, key=lambda one: (one.state in BUSY, one.state != "idle", one.at), default=None)


def born(pid: int) -> str:
    """When a process started, in the system's own terms; "" where there is none, or it cannot be told."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return stat.rpartition(")")[2].split()[19]  # field 22, in clock ticks since the boot (proc(5))
    try:
        listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return listed.stdout.strip()


def _lives(activity: Activity) -> bool:
    return born(activity.pid) == activity.born != ""


def _files(library: Path) -> Iterator[tuple[Path, Activity | None]]:
    """Every file of the folder with what it says; None where that is no activity."""
    try:
        files = sorted((library / FOLDER).glob("*.json"))
    except OSError:
        return
    for file in files:
        try:
            values: dict[str, Any] = json.loads(file.read_text(encoding="ascii"))
            values["errors"] = tuple((str(path), str(reason)) for path, reason in values["errors"])
            yield file, Activity(**values)
        except (OSError, ValueError, TypeError, KeyError):
            yield file, None
