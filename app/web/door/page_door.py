"""The door between the gate and Gradio: the few routes that the page uses, through which no client names a file.

Gradio also serves links to saved states, a proxy, recordings, an API of its own and files from its cache. What the page
does not use is not there; so an upgrade of Gradio that adds a route adds none to this server.
"""

import json
import re
from collections.abc import Collection, Set
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.door.forwarding import path_below_root
from app.web.door.methods import answer_by_method
from app.web.door.short_bodies import read_short
from app.web.problems import problem_response

OWN = ("/api/v1/", "/openapi.json")
CALLS = "/gradio_api/component_server"
READ = ("GET", "HEAD", "OPTIONS")
PAGE_ROUTES: dict[str, Collection[str]] = {
    "/": READ,
    "*": ("OPTIONS",),  # of the server as a whole
    "/config": READ,
    "/theme.css": READ,
    "/favicon.ico": READ,
    "/gradio_api/app_id": READ,
    CALLS: ("OPTIONS", "POST"),
    CALLS + "/": ("OPTIONS", "POST"),  # Gradio's scripts write it in both ways
}
LONGEST_PATH = 300  # characters of a file's or a stream's
PAGE_FILE = re.compile(  # names that any system takes, no folder's
    r"/(assets|static|svelte)(/[\w+@=-][\w.+@=-]{0,139})*/[\w+@=-][\w.+@=-]{0,130}\.[a-z]\w{1,7}", re.ASCII
)
MOST_PARAMETERS = 1000  # in an address; FastAPI takes a time of the square of their number, in which nobody is answered
STREAM = "picsift.stream"  # in the state of a request whose answer never ends, and is of no use to whoever asks
HEARTBEAT = re.compile(r"/gradio_api/heartbeat/[\w-]+", re.ASCII)
MAX_CALL_BYTES = 256 * 1024  # what a call carries is what stands in the page's fields; some cost 0.6 s for a megabyte
SESSION = "page"  # of every call: nothing is kept for a session, and no client makes Gradio keep one for it


@dataclass(frozen=True)
class PageDoor:
    """An ASGI application that hands on what the page and the API's clients ask for, and answers 404 to the rest.

    Attributes:
        app: what answers.
        functions: what the page may call: the number of a component, and the name of a function that it offers.
    """

    app: ASGIApp
    functions: Set[tuple[int, str]] = frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "the page uses no web socket."})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["query_string"].count(b"&") >= MOST_PARAMETERS:
            reason = f"the address has more than {MOST_PARAMETERS:,} parameters. Ask for less at once."
            await problem_response(400, reason)(scope, receive, send)
            return
        path = path_below_root(scope)
        if path.startswith(OWN):
            await self.app(scope, receive, send)
            return
        allowed = methods_of(path, scope["query_string"].decode("latin-1"))
        await answer_by_method(self._answer, allowed, path, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if path_below_root(scope).removesuffix("/") == CALLS:
            body = await read_short(receive, MAX_CALL_BYTES)
            call = checked_call(body, self.functions) if body is not None else None
            if call is None:
                reason = (
                    f"the page calls what it offers, with JSON of at most {MAX_CALL_BYTES} bytes that holds no file."
                )
                await problem_response(400, reason)(scope, receive, send)
                return
            scope, receive = _as_json(scope, len(call)), _once(call, receive)
        elif HEARTBEAT.fullmatch(path_below_root(scope)):
            scope.setdefault("state", {})[STREAM] = True
        await self.app({**scope, "query_string": b""}, receive, send)  # the page's script alone reads its address


def methods_of(path: str, query: str) -> Collection[str]:
    """What the page does at a path of its own, none where it has no use for it; `path` is decoded, `query` is not."""
    if "deep_link" in parse_qs(query, keep_blank_values=True):
        return ()
    if len(path) <= LONGEST_PATH and PAGE_FILE.fullmatch(path):
        return READ
    if len(path) <= LONGEST_PATH and HEARTBEAT.fullmatch(path):
        return ("GET", "OPTIONS")  # it never ends
    return PAGE_ROUTES.get(path, ())


def checked_call(body: bytes, functions: Set[tuple[int, str]]) -> bytes | None:
    """The call, written anew so that whoever reads it reads what was checked here; None for one that is refused.

    It may hold no file, here or at an address, which is what Gradio takes a dictionary with a path for: pictures come
    to `/api/v1/pictures`, and a call names them by a token.
    """
    try:
        call = json.loads(body)
        named = (call["component_id"], call["fn_name"])
        if type(named[0]) is not int or named not in functions or _holds_a_file(call["data"]):
            return None
        known = {"component_id": named[0], "fn_name": named[1], "session_hash": SESSION, "data": call["data"]}
        return json.dumps(known).encode()
    except (ValueError, RecursionError, TypeError, KeyError):
        return None


def _holds_a_file(data: Any) -> bool:
    if isinstance(data, dict):
        return "path" in data or "_type" in data or any(map(_holds_a_file, data.values()))
    return isinstance(data, list) and any(map(_holds_a_file, data))


def _as_json(scope: Scope, length: int) -> Scope:
    """The same request, said to be what it was read as."""
    scope = {**scope, "headers": list(scope["headers"])}
    MutableHeaders(scope=scope).update({"content-type": "application/json", "content-length": str(length)})
    return scope


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
