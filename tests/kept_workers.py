"""Decoding processes that outlive the run that started them: the next run of a test finds them warm.

A process starts in half a second of computing, and the suite runs many hundreds of times over a handful of pictures. It
is the product's process and the product's protocol; only its end is put off, to the end of the suite. A test of how
processes start and end says `pytest.mark.fresh_workers` and has its own.
"""

import os
import sys
import threading
from collections import defaultdict
from pathlib import Path

from indexer.workers import isolation

MOST = 4  # that are kept for the same bounds and the same surroundings


class KeptWorkers:
    """Stands in for how a pool starts a process, and for how it ends those that have nothing to do."""

    def __init__(self):
        self._start = isolation._Worker
        self._lock = threading.Lock()
        self._idle = defaultdict(list)

    def install(self, monkeypatch):
        """For one test."""
        monkeypatch.setattr(isolation, "_Worker", self.take)
        monkeypatch.setattr(isolation.WorkerPool, "rest", lambda pool: self.rest(pool))

    def take(self, timeout_s, memory_mb):
        """A process that was started with these bounds in these surroundings, or a new one."""
        key = (timeout_s, memory_mb, *_surroundings())
        with self._lock:
            kept = self._idle[key]
            while kept:
                worker = kept.pop()
                if worker._process.poll() is None:
                    return worker
                worker.end()
        worker = self._start(timeout_s, memory_mb)
        worker.kept_as = key
        return worker

    def rest(self, pool):
        """In place of the end of a pool's idle processes."""
        with pool._lock:
            idle, pool._idle = pool._idle, []
        for worker in idle:
            with self._lock:
                kept = self._idle[worker.kept_as]
                if keep := worker._process.poll() is None and len(kept) < MOST:
                    kept.append(worker)
            if not keep:
                worker.kill()
                worker.end()

    def close(self):
        """End them all."""
        for worker in [worker for kept in self._idle.values() for worker in kept]:
            worker.kill()
            worker.end()
        self._idle.clear()


def _surroundings():
    """What a process takes over when it starts."""
    variables = sorted(item for item in os.environ.items() if not item[0].startswith(("PICSIFT_", "PYTEST_")))
    return tuple(sys.path), Path.cwd(), tuple(variables)
