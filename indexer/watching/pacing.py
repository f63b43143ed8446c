"""How much of the machine the daemon takes: its priority, and a share of the processors that it stays below.

The share is measured, not guessed: CPU time of this process over the time that passed. It starts nothing.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger(__name__)

NICENESS = 10
LONGEST_NAP_S = 0.25  # between two looks at whether to stop
SHORTEST_NAP_S = 0.001
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of glibc's malloc.h
_LARGE = 4 << 20  # bytes
FORGOTTEN_S = 10.0  # what was not used longer ago than this cannot be used now


class Pacer:
    """Sleeps between photos so that the process uses at most a share of all processors.

    100 percent is every processor busy; 25 percent of eight is as much as two. The share holds on average over a few
    seconds: a single photo is never interrupted.
    """

    def __init__(
        self,
        percent: int,
        *,
        cpu_s: Callable[[], float] = time.process_time,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Allow `percent` (1 to 100) of all processors; the clocks are exchanged by tests."""
        self._allowed = percent / 100 * (os.cpu_count() or 1)
        self._free = percent >= 100
        self._cpu_s, self._now_s, self._sleep = cpu_s, now_s, sleep
        self._used_from, self._since = cpu_s(), now_s()

    def rest(self, stopped: Callable[[], bool]) -> None:
        """Sleep until the share is kept, or somebody says stop."""
        while not self._free and not stopped():
            passed, used = self._now_s() - self._since, self._cpu_s() - self._used_from
            ahead_s = used / self._allowed - passed
            if ahead_s < SHORTEST_NAP_S:
                if passed > FORGOTTEN_S:
                    self._used_from, self._since = self._cpu_s(), self._now_s()
                return
            self._sleep(min(ahead_s, LONGEST_NAP_S))


def workers_for(percent: int, wanted: int) -> int:
    """How many workers suit a share of the processors; 0 leaves it to the pipeline."""
    if percent >= 100:
        return wanted
    suits = max(1, (os.cpu_count() or 1) * percent // 100)
    return min(wanted, suits) if wanted else suits


def lower_priority() -> None:
    """Let everything else go first: on Linux this thread and those that it starts, elsewhere the process."""
    with suppress(OSError, AttributeError):
        os.nice(NICENESS)
    with suppress(ImportError):  # psutil is not asked for: without it the disk is shared fairly
        psutil = importlib.import_module("psutil")
        with suppress(psutil.Error, OSError, AttributeError, ValueError):
            psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE if sys.platform == "linux" else psutil.IOPRIO_VERYLOW)


def give_memory_back() -> None:
    """Have glibc return large blocks to the system as soon as they are freed, and keep few heaps; elsewhere nothing.

    Left alone it raises its threshold up to 32 MB with the first large block that is freed, and a model that leaves the
    memory leaves much of it behind. To be called before the first model is loaded.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_ARENA_MAX, 2)
