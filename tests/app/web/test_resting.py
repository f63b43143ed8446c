import asyncio
import subprocess
import sys

import pytest

from app.web.resting import Resting


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time goes on by itself when nothing is left to do, and that has no threads: no test waits."""

    def __init__(self):
        super().__init__()
        self.now = 1000.0

    def time(self):
        return self.now

    def run_in_executor(self, executor, function, *args):
        function(*args)
        done = self.create_future()
        done.set_result(None)
        return done

    def _run_once(self):
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0]._when)
        super()._run_once()


def lived(requests, *, until, kind="http"):
    """When memory was given back, in seconds from the start, for requests that end at such moments."""
    loop = Clock()
    given = []
    start = loop.time()

    async def app(scope, receive, send):
        if scope.get("fails"):
            raise RuntimeError

    async def life():
        resting = Resting(app, rest_s=10, longest_s=60, give_back=lambda: given.append(round(loop.time() - start)))
        for moment in requests:
            await asyncio.sleep(start + moment - loop.time())
            try:
                await resting({"type": kind, "fails": moment % 2}, None, None)
            except RuntimeError:
                continue
        await asyncio.sleep(start + until - loop.time())

    try:
        loop.run_until_complete(life())
    finally:
        loop.close()
    return given


@pytest.mark.parametrize(
    ("requests", "given"),
    [
        ([], []),
        ([0], [10]),
        ([1], [11]),  # one that failed
        ([0, 4, 9], [19]),
        ([0, 30], [10, 40]),
        (range(0, 100, 2), [60, 108]),
    ],
)
def test_memory_is_given_back_after_a_rest_or_else_now_and_then(requests, given):
    assert lived(requests, until=200) == pytest.approx(given, abs=2)


def test_what_is_no_request_counts_as_none():
    assert lived([0], until=100, kind="lifespan") == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_freed_goes_back_to_the_system():
    code = (
        "from indexer import memory\n"
        "def resident(): return int(open('/proc/self/statm').read().split()[1]) * 4096\n"
        "kept = [bytes(60_000) for _ in range(4000)]\n"
        "last = bytes(60_000)\n"
        "for one in range(0, len(kept)): kept[one] = None\n"
        "before = resident(); memory.give_back(); print(before - resident())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 100_000_000
