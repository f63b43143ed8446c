"""Whose turn it is on the server: a few pictures in memory at once, in threads that no other request waits for."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

BODIES = 4  # of up to MAX_BODY_BYTES
THREADS = 4  # the decoder takes two at once; the others hash a file, or embed

P = ParamSpec("P")
T = TypeVar("T")


class PictureTurns:
    """Lets requests wait without a thread of their own, so that any number of uploads leaves searches theirs."""

    def __init__(self) -> None:
        """Let none wait yet."""
        self._bodies = anyio.Semaphore(BODIES)
        self._threads = anyio.CapacityLimiter(THREADS)

    def body(self) -> anyio.Semaphore:
        """Within it a request may hold a picture in memory."""
        return self._bodies

    async def read(self, request: Request) -> bytes:
        """The whole body, whose size the gate bounds. Nothing of it touches the disk.

        Raises:
            HTTPException: it was broken off.
        """
        try:
            return await request.body()
        except ClientDisconnect as gone:
            raise HTTPException(400, "the picture was not sent to its end.") from gone

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that decodes pictures, in a thread."""
        return await run_sync(partial(function, *args, **kwargs), limiter=self._threads)
