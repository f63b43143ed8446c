"""Routes whose requests are short: a larger body is refused before it is read as JSON, which takes a multiple of it.

The gate's own bound is one for pictures (`security.py`).
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

MAX_BYTES = 2**20
TOO_LONG = f"the request is longer than {MAX_BYTES // 2**20} MB. Send it in parts."


class ShortBody(APIRoute):
    """A route that takes at most MAX_BYTES."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request: 413 where it is too long."""
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            declared = request.headers.get("content-length", "0")
            if declared.isdecimal() and int(declared) > MAX_BYTES:
                raise HTTPException(413, TOO_LONG)
            return await answer(Request(request.scope, _counted(request.receive)))

        return bounded


async def read_short(receive: Receive, most: int) -> bytes | None:
    """The whole body; None where it is longer than `most` bytes or was broken off."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _counted(receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Count a body that did not say how long it is."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if seen > MAX_BYTES:
            raise HTTPException(413, TOO_LONG)
        return message

    return counted
