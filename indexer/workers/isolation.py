"""Worker processes for code that may crash, run on for ever or fill the memory: then a worker ends, and not the run.

The processes are fresh interpreters that import what they are asked to call and nothing else: forking is not safe among
the threads of torch and FAISS, and `multiprocessing` would import the caller's main module again in each.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, cast

from indexer.errors import DecoderLostError, DecoderStartError, TooLargeError
from indexer.workers.worker import READY, MemoryBoundError, receive, send

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 60
DEFAULT_MEMORY_MB = 2048

_KILLED = -9
_STOPPED = "the run was stopped before it was decoded"
_START = (
    "import sys; sys.path[:] = {path!r}; from indexer.workers.worker import main; main({timeout_s!r}, {memory_mb!r})"
)
_OURS = str(Path(__file__).parents[2])
_SINGLE_THREADED = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

_T = TypeVar("_T")


class _LostError(Exception):
    """The process is gone. `begun` says whether it had been given the call."""

    def __init__(self, *, begun: bool) -> None:
        """Keep that."""
        self.begun = begun


class _Worker:
    """One process, used by one thread at a time; `kill` may be called from another."""

    def __init__(self, timeout_s: float, memory_mb: int) -> None:
        # Without `site`, which would look for these folders again, and for hooks such as an editable install's.
        path = sys.path if _OURS in sys.path else [*sys.path, _OURS]
        code = _START.format(path=path, timeout_s=timeout_s, memory_mb=memory_mb)
        command = [sys.executable, "-S", "-c", code]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **_SINGLE_THREADED},
                process_group=0 if os.name == "posix" else None,  # out of reach of a terminal's Ctrl-C
            )
        except OSError as error:
            raise DecoderStartError(str(error)) from error
        self._ready = False
        self.cpu_s = 0.0

    def ask(self, request: bytes) -> bytes:
        """Hand over a call and wait for its answer.

        Raises:
            _LostError: the process ended instead.
            DecoderStartError: it never got as far as to take a call.
        """
        requests, answers = cast(Any, self._process.stdin), cast(Any, self._process.stdout)
        try:
            send(requests, request)
        except OSError:
            if self._ready:
                raise _LostError(begun=False) from None  # it ended while it had nothing to do
        if not self._ready:
            if receive(answers) != READY:
                raise DecoderStartError(f"it ended with status {self.end()}")
            self._ready = True
        answer = receive(answers)
        if answer is None:
            raise _LostError(begun=True)
        return answer

    def kill(self) -> None:
        """Have the process end at once."""
        self._process.kill()

    def end(self) -> int:
        """See the process off; its exit status, or the negative number of the signal that ended it."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was still to be written has no reader any more
                cast(Any, pipe).close()
        return self._process.wait()


class WorkerPool:
    """Calls functions in worker processes; there are as many as there are threads that call at once.

    A process is started when all others are busy, and kept for later calls until `close`.
    """

    def __init__(self, *, timeout_s: float = DEFAULT_TIMEOUT_S, memory_mb: int = DEFAULT_MEMORY_MB) -> None:
        """Start nothing yet.

        Args:
            timeout_s: of wall time for one call, in seconds.
            memory_mb: for one call, above what the process has when it starts, in mebibytes.
        """
        self.timeout_s, self.memory_mb = timeout_s, memory_mb
        self.cpu_s = 0.0  # that the processes have used so far
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def open(self) -> None:
        """Take calls again after `close`."""
        with self._lock:
            self._open = True

    def close(self) -> None:
        """End all processes; calls under way raise DecoderLostError, and so do later ones until `open`."""
        with self._lock:
            self._open = False
            for worker in self._busy:
                worker.kill()  # the thread that waits for it sees it off
        self.rest()

    def rest(self) -> None:
        """End the processes that have nothing to do; a later call starts a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()
            worker.end()

    def run(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a function of a module in a process; waits for its result.

        Raises:
            DecoderLostError: the process crashed or took too long, or the pool was closed.
            TooLargeError: the call needed too much memory.
            DecoderStartError: no process can be started.
            Exception: whatever the function raises.
        """
        request = pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL)
        killed = False
        while True:
            worker = self._take()
            try:
                done, value, cpu_s = pickle.loads(worker.ask(request))
            except _LostError as lost:
                status = self._see_off(worker)
                if lost.begun and (killed or status != _KILLED):
                    self._raise(status)
                killed = lost.begun  # from outside, most likely, and perhaps before it began: it has a second try
                continue
            except BaseException:
                self._see_off(worker)
                raise
            self._count(worker, cpu_s)
            return cast(_T, self._settle(worker, done, value))

    def _count(self, worker: _Worker, cpu_s: float) -> None:
        with self._lock:
            self.cpu_s += cpu_s - worker.cpu_s
            worker.cpu_s = cpu_s

    def _take(self) -> _Worker:
        with self._lock:
            if not self._open:
                raise DecoderLostError(_STOPPED)
            worker = self._idle.pop() if self._idle else _Worker(self.timeout_s, self.memory_mb)
            self._busy.add(worker)
            return worker

    def _settle(self, worker: _Worker, done: bool, value: object) -> object:
        """What a call answered. A worker that met its bound of memory may not have given all of it back."""
        spent = isinstance(value, MemoryBoundError)
        with self._lock:
            self._busy.discard(worker)
            if keep := self._open and not spent:
                self._idle.append(worker)
        if not keep:
            worker.kill()
            worker.end()
        if spent:
            raise TooLargeError(
                f"it needs more than {self.memory_mb:,} MB to decode; raise decode_memory_mb to read it"
            )
        if not done:
            raise cast(Exception, value)
        return value

    def _see_off(self, worker: _Worker) -> int:
        with self._lock:
            self._busy.discard(worker)
            stopped = not self._open
        worker.kill()
        status = worker.end()
        if stopped:
            raise DecoderLostError(_STOPPED)
        return status

    def _raise(self, status: int) -> NoReturn:
        """Say what the end of a process means for its call."""
        error = self._reason(status)
        logger.info("a decoding process ended with status %d: %s", status, error)
        raise error

    def _reason(self, status: int) -> DecoderLostError:
        if hasattr(signal, "SIGALRM") and status == -signal.SIGALRM:
            return DecoderLostError(f"it took longer than {self.timeout_s:g} s to decode")
        if status == _KILLED:
            said = "the decoder was killed (signal 9), most likely because the machine had no memory left"
            return DecoderLostError(said, temporary=True)
        if status < 0:
            return DecoderLostError(f"the decoder crashed (signal {-status}) on this picture")
        return DecoderLostError(f"the decoder ended (status {status}) without an answer")
