"""Which processes decode for another one, and whether they are still there; read from /proc."""

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
