"""What a request may look like beside the usual (RFC 9112): a whole address, a length that counts for nothing.

It comes first of all, so that whoever checks a request sees the one that is answered. It refuses nothing.
"""

import re
from urllib.parse import unquote

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WHOLE = re.compile(rb"https?://([^/?#]*)([^#]*)", re.ASCII | re.IGNORECASE)


class RequestForm:
    """An ASGI application before all others; the scope stays the one that the connection knows."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what the request means."""
        if scope["type"] == "http":
            _take_apart(scope)
            names = {name for name, _ in scope["headers"]}
            if {b"content-length", b"transfer-encoding"} <= names:
                send = _ending(send)  # section 6.1: whoever read the other length takes what follows for something else
        await self._app(scope, receive, send)


def _take_apart(scope: Scope) -> None:
    """Of `GET http://localhost/a` the path is /a, and the Host what stands there, whatever the header says (3.2.2)."""
    if scope["path"].startswith("/") or not (whole := WHOLE.fullmatch(scope["raw_path"])):
        return
    scope["raw_path"] = whole[2] or b"/"
    scope["path"] = unquote(scope["raw_path"].decode("ascii"))
    scope["headers"][:] = [(name, value) for name, value in scope["headers"] if name != b"host"]
    scope["headers"].append((b"host", whole[1]))


def _ending(send: Send) -> Send:
    """Say that the connection ends with the answer, which has uvicorn end it."""

    async def ending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
        await send(message)

    return ending
