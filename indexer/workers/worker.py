"""What a worker process runs: calls of functions, one after the other, each within a bound of time and memory.

It is started by isolation.py with the two bounds as arguments, and speaks with it over its standard input and output
in frames of pickled values. It ends when its parent does.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

_LENGTH = struct.Struct("<Q")
READY = b"ready"


_bound_s = 0.0  # of time for a call; 0 outside of a worker


class MemoryBoundError(Exception):
    """A call needed more memory than the worker may have."""


def send(stream: BinaryIO, content: bytes) -> None:
    """Write one frame."""
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """Read one frame; None where the other side is gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    content = stream.read(_LENGTH.unpack(head)[0])
    return content if len(content) == _LENGTH.unpack(head)[0] else None


def main(timeout_s: float, memory_mb: int) -> None:
    """Serve until the parent is gone.

    Args:
        timeout_s: a call that takes longer ends the process by SIGALRM, where the system has it.
        memory_mb: what a call may need above what the process has when it starts, where the system bounds it.
    """
    global _bound_s
    _bound_s = timeout_s
    requests, answers = _own_streams()
    _defy_signals()
    _stand_back()
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, inbox), daemon=True).start()
    _bound_memory(memory_mb << 20)
    with suppress(BrokenPipeError):  # the parent is gone
        send(answers, READY)
        while True:
            send(answers, _answer(inbox.get(), timeout_s))


def still_at_it() -> None:
    """For a call of many parts: each that it begins with this has the whole bound of time."""
    if _bound_s:
        _alarm(_bound_s)


def _answer(request: bytes, timeout_s: float) -> bytes:
    """Call what was asked for: (True, what it returned) or (False, what it raised), and CPU seconds so far."""
    _alarm(timeout_s)
    try:
        function, arguments = pickle.loads(request)
        value = function(*arguments)
        return pickle.dumps((True, value, time.process_time()), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # raised again in the parent
        return _failure(error)
    finally:
        _alarm(0)


def _failure(error: Exception) -> bytes:
    if _is_of_memory(error):
        error = MemoryBoundError()
    try:
        return pickle.dumps((False, error, time.process_time()), pickle.HIGHEST_PROTOCOL)
    except Exception:  # an exception that holds what cannot be pickled
        reported = RuntimeError(f"{type(error).__name__}: {error}")
        return pickle.dumps((False, reported, time.process_time()))


def _is_of_memory(error: BaseException | None) -> bool:
    """Whether a lack of memory is at the bottom of an error, whatever was made of it on the way up."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__
    return False


def _read(requests: BinaryIO, inbox: queue.SimpleQueue[bytes]) -> None:
    """A thread of its own, so that the end of the parent ends the process also in the middle of a call."""
    while (request := receive(requests)) is not None:
        inbox.put(request)
    os._exit(0)


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes, out of reach of decoders that print; what they print goes nowhere."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    return requests, answers


def _defy_signals() -> None:
    """Ctrl-C, a service manager's SIGTERM and a terminal's end reach every process of a group; the parent decides."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # both are inherited: an ignored signal, and a blocked one
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])


def _alarm(seconds: float) -> None:
    """Have the kernel end this process; also a decoder that never lets another Python thread run. 0 calls it off."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _stand_back() -> None:
    """Where the machine runs out of memory, have the system end a worker and not the run."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("700")


def _bound_memory(more: int) -> None:
    """Let allocations fail beyond `more` bytes above what is in use now, and a crash leave no core file."""
    try:
        import resource
    except ImportError:  # Windows
        return
    # RLIMIT_DATA counts what is written to; RLIMIT_AS also the address space that each thread's arena reserves.
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    for limit, value in ((kind, _in_use() + more), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(limit)[1]
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _in_use() -> int:
    """Bytes of data that this process has mapped; 0 where the system does not say."""
    try:
        fields: list[Any] = Path("/proc/self/statm").read_text().split()
        return int(fields[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
