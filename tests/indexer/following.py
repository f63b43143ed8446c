"""A daemon in a thread over a world of photos, and waiting for what it does."""

import threading
import time
from contextlib import contextmanager

from indexer.watching.activity import ActivityLog
from indexer.watching.daemon import Daemon

LONG_S = 60.0  # how long a condition may take before a test fails; none waits for it when all is well


def wait_until(condition, what, seconds=LONG_S):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.01)


class Followed:
    """A running daemon and what it has reported."""

    def __init__(self, world, **options):
        self.world = world
        self.reports = []
        self.activity = ActivityLog(world.library.folder, "watch")
        options = {"settle_ms": 150, "check_s": 0.1, "workers": 2, **options}
        self.daemon = Daemon(world.library, world.embedder, self.activity, on_batch=self.reports.append, **options)
        self.stop = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self._run, name="daemon under test", daemon=True)

    def _run(self):
        try:
            self.daemon.run(self.stop)
        except BaseException as error:
            self.error = error

    def total(self, name):
        return sum(getattr(report, name) for report in list(self.reports))

    def wait_for(self, **wanted):
        """Until the sums over all batches are these."""

        def reached():
            if self.error is not None:
                raise self.error
            return all(self.total(name) >= count for name, count in wanted.items())

        wait_until(reached, f"{wanted}, and the batches were {self.reports}")
        assert {name: self.total(name) for name in wanted} == wanted

    def wait_idle(self):
        wait_until(lambda: self.activity.now.state == "idle", f"idle, and it is {self.activity.now}")


@contextmanager
def following(world, *, folders=(), **options):
    """A daemon that has done its first run over the photos, or over those folders."""
    for folder in folders or [world.photos]:
        world.library.catalog.add_root(folder)
    running = Followed(world, **options)
    running.thread.start()
    try:
        wait_until(lambda: running.reports or running.error, "the first run")
        if running.error is not None:
            raise running.error
        yield running
    finally:
        running.stop.set()
        running.thread.join(LONG_S)
        running.activity.close()
    assert not running.thread.is_alive()
    if running.error is not None:
        raise running.error
