"""Whose turn it is on the server: a few pictures in memory at once, in threads that no other request waits for."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

BODIES = 4  # of up to MAX_BODY_BYTES
LONG_BODIES = 32  # of JSON, of up to a megabyte
THREADS = 4  # the decoder takes two at once; the others hash a file, or embed
WAITED_S = 20.0  # for a place, until one that is sent slowly gives way; and between two of those
LOOKS = 4  # in that time, at how much came of each
SLOW_BYTES_PER_S = 10_000  # of the last WAITED_S; eight phones on a poor line have more each
# Closed, since what else is sent would be taken for nothing. Not 408, on which browsers send it again by themselves.
GIVEN_WAY = {"Retry-After": "30", "Connection": "close"}

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class _Arriving:
    """A body that is being sent, of `size` bytes where that was said; and what of it there was at the last looks."""

    scope: anyio.CancelScope
    size: int | None
    received: int = 0
    seen: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=LOOKS + 1))

    def bytes_per_s(self) -> float:
        """How fast it came between the looks, without end where it is as good as there, or has only just begun."""
        (since, before), (until, received) = self.seen[0], self.seen[-1]
        came = received - before
        ends = came > 0 and self.size is not None and self.size - received <= came  # within as long again
        return float("inf") if ends or len(self.seen) <= LOOKS else came / (until - since)


class PictureTurns:
    """Lets requests wait without a thread of their own, so that any number of uploads leaves searches theirs."""

    def __init__(self, bodies: int = BODIES, what: str = "picture") -> None:
        """Let none wait yet; `bodies` may be in memory at once, each of which is `what` people call it."""
        self._bodies = anyio.Semaphore(bodies)
        self._what = what
        self._threads = anyio.CapacityLimiter(THREADS)
        self._arriving: list[_Arriving] = []
        self._line: list[float] = []  # since when each waits for a place, the first one longest
        self._ended_s = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def body(self) -> AsyncIterator[None]:
        """Within it a request may hold a picture in memory. Whoever waits longest is the next one."""
        try:
            self._bodies.acquire_nowait()
        except anyio.WouldBlock:
            with self._in_line():
                await self._bodies.acquire()
        try:
            yield
        finally:
            self._bodies.release()

    async def read(self, request: Request) -> bytes:
        """The whole body, whose size the gate bounds. Nothing of it touches the disk.

        Raises:
            HTTPException: it was broken off: 400 by its sender, 503 for others that wait.
        """
        body = bytearray()
        size = request.headers.get("content-length", "")
        with anyio.CancelScope() as scope:
            arriving = _Arriving(scope, int(size) if size.isdecimal() else None)
            self._arriving.append(arriving)
            try:
                async for part in request.stream():
                    body += part
                    arriving.received = len(body)
                return bytes(body)
            except ClientDisconnect as gone:
                raise HTTPException(400, f"the {self._what} was not sent to its end.") from gone
            finally:
                self._arriving.remove(arriving)
        raise HTTPException(503, f"the {self._what} came too slowly, while others waited. Send it again.", GIVEN_WAY)

    @contextmanager
    def _in_line(self) -> Iterator[None]:
        """Wait; as long as anybody does, there is a look now and then whether a body stands in the way."""
        since = time.monotonic()
        self._line.append(since)
        if self._timer is None:
            for one in self._arriving:
                one.seen.clear()
            self._look()
        try:
            yield
        finally:
            self._line.remove(since)
            if not self._line and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _look(self) -> None:
        """Note what came of each body; end the slowest, where the first in the line has waited for long."""
        self._timer = asyncio.get_running_loop().call_later(WAITED_S / LOOKS, self._look)
        now = time.monotonic()
        for one in self._arriving:
            one.seen.append((now, one.received))
        if now - max(self._line[0], self._ended_s) >= WAITED_S:
            self._end_a_slow_one(now)

    def _end_a_slow_one(self, now: float) -> None:
        """Four senders that send next to nothing would else keep everybody waiting for an hour."""
        slowest = min(self._arriving, key=_Arriving.bytes_per_s, default=None)
        if slowest is not None and slowest.bytes_per_s() < SLOW_BYTES_PER_S:
            slowest.scope.cancel()
            self._ended_s = now

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that decodes pictures, in a thread."""
        return await run_sync(partial(function, *args, **kwargs), limiter=self._threads)
