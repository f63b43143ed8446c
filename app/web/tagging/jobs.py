"""Work that takes longer than a request: one piece at a time, in a thread, with its progress, and a way to stop it."""

import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from app.printable import printable
from app.web.problems import RefusedError
from indexer.errors import LibraryLockedError, PicsiftError
from indexer.library import Library

State = Literal["never", "running", "done", "stopped", "failed"]
Progress = Callable[[int, int], None]
Work = Callable[[Progress, Callable[[], bool]], Any]
"""Told a function to report to (done, total) and one to ask whether to stop; its result has `complete`."""

RUNNING, LOCKED = "running", "locked"  # kinds of refusals: something is, here; another process writes
CLOSING_S = 20.0  # how long the end of the server waits for a piece of work to notice
UNFORESEEN = "picsift met an error it does not know; its log says more."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A piece of work as it is now.

    Attributes:
        kind: what it is, as a noun that a sentence can hold.
        state: how far it is; "stopped" is ended before its end, by a person or with the server.
        done: how much of `total` is done; photos, mostly.
        total: how much there is; 0 where that is not known.
        problem: why it failed.
        result: what came of it; while it runs, and where it failed, as far as it tells that meanwhile.
        started_at: aware.
        ended_at: aware; None while it runs.
    """

    kind: str
    state: State = "never"
    done: int = 0
    total: int = 0
    problem: str | None = None
    result: Any = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class JobAnswer(BaseModel):
    """How far a piece of work is."""

    state: State = Field(description="never: none was started since the server was.")
    done: int
    total: int = Field(description="0 where that is not known.")
    problem: str | None = Field(description="Why it failed.")
    started_at: datetime | None
    ended_at: datetime | None

    @staticmethod
    def fields(job: Job) -> dict[str, Any]:
        """What an answer says of any job."""
        return {name: getattr(job, name) for name in JobAnswer.model_fields}


@dataclass
class Jobs:
    """What a server works on. Methods may be called from several threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[str, Job] = field(default_factory=dict)
    _running: str | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def of(self, kind: str) -> Job:
        """The last piece of work of a kind."""
        with self._lock:
            return self._known.get(kind, Job(kind))

    def require_idle(self) -> None:
        """HTTPException, 409, where a piece of work is running here."""
        with self._lock:
            self._require_idle()

    def _require_idle(self) -> None:
        if self._running is not None:
            raise RefusedError(409, RUNNING, f"{self._running} is running here. Wait for its end, or stop it.")

    def start(self, library: Library, kind: str, work: Work, so_far: Any = None) -> Job:
        """Begin a piece of work that writes to the library.

        Args:
            library: which.
            kind: what it is.
            work: what is done.
            so_far: what the work tells its doings as it goes; the job's result until it has one of its own.

        Raises:
            HTTPException: 409, another one is running, here or in another process; 503, there is no thread for it.
        """
        with self._lock:
            self._require_idle()
            try:
                with library.writer_lock():
                    pass  # whoever takes it between here and there is told of by the work itself
            except LibraryLockedError as error:
                raise RefusedError(409, LOCKED, str(error)) from error
            job = Job(kind, "running", result=so_far, started_at=datetime.now(UTC))
            stop = threading.Event()
            thread = threading.Thread(target=self._run, args=(kind, work, stop), name=kind, daemon=True)
            try:
                thread.start()  # it notes nothing before this lock is free
            except RuntimeError as error:
                raise HTTPException(503, f"{kind} cannot begin: this machine has no thread left. Ask again.") from error
            self._known[kind], self._running, self._stop, self._thread = job, kind, stop, thread
            return job

    def stop(self, kind: str) -> Job:
        """Have a kind of work end soon, where it runs; what is done by then is kept."""
        with self._lock:
            if self._running == kind:
                self._stop.set()
            return self._known.get(kind, Job(kind))

    def close(self) -> None:
        """Have whatever runs end, and wait for that."""
        self._stop.set()
        self.wait(CLOSING_S)

    def wait(self, seconds: float) -> None:
        """Wait for the end of what runs, at most so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, kind: str, work: Work, stop: threading.Event) -> None:
        try:
            result = work(lambda done, total: self._note(kind, done, total), stop.is_set)
            end: dict[str, Any] = {"state": "done" if result.complete else "stopped", "result": result}
        except PicsiftError as error:
            end = {"state": "failed", "problem": printable(str(error))}
        except Exception:  # a thread's end is this piece of work's alone
            log.exception("%s failed", kind)
            end = {"state": "failed", "problem": UNFORESEEN}
        with self._lock:
            self._known[kind] = replace(self._known[kind], ended_at=datetime.now(UTC), **end)
            self._running = None

    def _note(self, kind: str, done: int, total: int) -> None:
        with self._lock:
            self._known[kind] = replace(self._known[kind], done=done, total=total)


@asynccontextmanager
async def working(app: FastAPI) -> AsyncIterator[None]:
    """The life of an application whose work ends with it."""
    yield
    await run_in_threadpool(app.state.jobs.close)


async def jobs_of(request: Request) -> Jobs:
    """What this application works on."""
    jobs: Jobs = request.app.state.jobs
    return jobs


JobsDep = Annotated[Jobs, Depends(jobs_of)]
