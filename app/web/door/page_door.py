"""The door between the gate and Gradio: the few routes that the page uses, through which no client names a file.

Gradio also serves links to saved states, a proxy, recordings, an API of its own and files from its cache. What the page
does not use is not there; so an upgrade of Gradio that adds a route adds none to this server.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.door.forwarding import path_below_root
from app.web.problems import problem_response

OWN = ("/api/v1/", "/openapi.json")
PAGE_FILES = ("/assets/", "/static/", "/svelte/")
PAGE_ROUTES = {
    "/": {"GET", "HEAD"},
    "/config": {"GET"},
    "/theme.css": {"GET"},
    "/favicon.ico": {"GET"},
    "/gradio_api/app_id": {"GET"},
    "/gradio_api/queue/data": {"GET"},
    "/gradio_api/queue/join": {"POST"},
    "/gradio_api/cancel": {"POST"},
}
HEARTBEAT = "/gradio_api/heartbeat/"
EVENTS = "/gradio_api/queue/join"
MAX_EVENT_BYTES = 1024 * 1024  # what an event carries is what stands in the page's fields


@dataclass(frozen=True)
class PageDoor:
    """An ASGI application that hands on what the page and the API's clients ask for, and answers 404 to the rest."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "the page uses no web socket."})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = path_below_root(scope)
        if not is_used(scope["method"], path, scope["query_string"].decode("latin-1")):
            refusal = problem_response(404, f"nothing answers {scope['method']} {path}. See /openapi.json.")
            await refusal(scope, receive, send)
            return
        if path.rstrip("/") == EVENTS:
            body = await _read(receive, MAX_EVENT_BYTES)
            event = checked_event(body) if body is not None else None
            if event is None:
                reason = f"an event of the page is JSON of at most {MAX_EVENT_BYTES} bytes that holds no file."
                await problem_response(400, reason)(scope, receive, send)
                return
            receive = _once(event, receive)
        await self.app(scope, receive, send)


def is_used(method: str, path: str, query: str) -> bool:
    """Whether the page or the API has a use for a request; `path` is decoded, `query` is not."""
    if path.startswith(OWN):
        return True
    if "deep_link" in parse_qs(query, keep_blank_values=True):
        return False
    if path.startswith((*PAGE_FILES, HEARTBEAT)):
        return method in {"GET", "HEAD"}
    return method in PAGE_ROUTES.get(path.rstrip("/") or "/", ())


def checked_event(body: bytes) -> bytes | None:
    """The event, written anew so that whoever reads it reads what was checked here; None for one that is refused.

    It may hold no file, here or at an address, which is what Gradio takes a dictionary with a path for: pictures come
    to `/api/v1/pictures`, and an event names them by a token.
    """
    try:
        event = json.loads(body)
        return None if _holds_a_file(event) else json.dumps(event).encode()
    except (ValueError, RecursionError):
        return None


def _holds_a_file(data: Any) -> bool:
    if isinstance(data, dict):
        return "path" in data or "_type" in data or any(map(_holds_a_file, data.values()))
    return isinstance(data, list) and any(map(_holds_a_file, data))


async def _read(receive: Receive, most: int) -> bytes | None:
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


def _once(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read already, then whatever comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
