"""Which processes decode for another one, and whether they are still there; read from /proc.

What a test counts is its own: earlier ones may have left something behind that ends meanwhile.
"""

import os
import threading
import time
from pathlib import Path


def workers_of(pid):
    """The decoding processes that a process has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [
            int(child) for child in read(task).split() if "indexer.workers.worker" in read(f"/proc/{child}/cmdline")
        ]
    return sorted(found)


class NewWorkers:
    """The decoding processes that this process has started since; called, it gives their numbers."""

    def __init__(self):
        self._others = set(workers_of(os.getpid()))

    def __call__(self):
        return [pid for pid in workers_of(os.getpid()) if pid not in self._others]


class NewThreads:
    """The threads that have begun since, of those that are called so; called, it gives them."""

    def __init__(self, *names):
        self._names, self._others = names, set(threading.enumerate())

    def __call__(self):
        new = set(threading.enumerate()) - self._others
        return [thread for thread in new if thread.name.startswith(self._names)]


def read(path):
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def wait_until(condition, seconds=60):
    """What the condition gives once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
    return found


def is_running(pid):
    """Whether there is such a process, and it is no zombie."""
    stat = read(f"/proc/{pid}/stat")
    return bool(stat) and stat.rpartition(")")[2].split()[0] not in "ZX"
