"""Whose turn it is on the server: a few pictures in memory at once, in threads that no other request waits for."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

BODIES = 4  # of up to MAX_BODY_BYTES
THREADS = 4  # the decoder takes two at once; the others hash a file, or embed
WAITED_S = 20.0  # for a place, until one that is sent slowly gives way
SLOW_BYTES_PER_S = 100_000

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class _Arriving:
    """A body that is being sent."""

    since: float
    scope: anyio.CancelScope
    received: int = 0

    def bytes_per_s(self, now: float) -> float:
        """How fast it has come; whoever has just begun is not slow."""
        took = now - self.since
        return self.received / took if took >= WAITED_S else float("inf")


class PictureTurns:
    """Lets requests wait without a thread of their own, so that any number of uploads leaves searches theirs."""

    def __init__(self) -> None:
        """Let none wait yet."""
        self._bodies = anyio.Semaphore(BODIES)
        self._threads = anyio.CapacityLimiter(THREADS)
        self._arriving: list[_Arriving] = []

    @asynccontextmanager
    async def body(self) -> AsyncIterator[None]:
        """Within it a request may hold a picture in memory. Where others wait long, one that is sent slowly ends."""
        while True:
            with anyio.move_on_after(WAITED_S) as waiting:
                await self._bodies.acquire()
            if not waiting.cancelled_caught:
                break
            self._end_a_slow_one()
        try:
            yield
        finally:
            self._bodies.release()

    async def read(self, request: Request) -> bytes:
        """The whole body, whose size the gate bounds. Nothing of it touches the disk.

        Raises:
            HTTPException: it was broken off, by its sender or for others that wait.
        """
        body = bytearray()
        with anyio.CancelScope() as scope:
            arriving = _Arriving(time.monotonic(), scope)
            self._arriving.append(arriving)
            try:
                async for part in request.stream():
                    body += part
                    arriving.received = len(body)
                return bytes(body)
            except ClientDisconnect as gone:
                raise HTTPException(400, "the picture was not sent to its end.") from gone
            finally:
                self._arriving.remove(arriving)
        raise HTTPException(408, "the picture came too slowly, while others waited. Send it again.")

    def _end_a_slow_one(self) -> None:
        """Four senders that send next to nothing would else keep everybody waiting for an hour."""
        now = time.monotonic()
        slowest = min(self._arriving, key=lambda one: one.bytes_per_s(now), default=None)
        if slowest is not None and slowest.bytes_per_s(now) < SLOW_BYTES_PER_S:
            slowest.scope.cancel()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that decodes pictures, in a thread."""
        return await run_sync(partial(function, *args, **kwargs), limiter=self._threads)
