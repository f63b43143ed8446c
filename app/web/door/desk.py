"""Answers commands of the same user on this machine, who prove that they have read the server's note; nobody else.

It stands behind the gate, whose password it does not ask for: the note's token, new with each start of the server, says
more. Neither side says the token, and the server proves first that it knows it.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.running.proof import ANSWERED, ASKED, HELLO, MOST_BYTES, PATH, nonce, opened, sealed
from app.web.door.forwarding import path_below_root
from app.web.door.short_bodies import read_short
from app.web.problems import problem_response

MOST_GREETED = 256  # who ask for the server's proof and say nothing more are forgotten

Answer = Callable[[Mapping[str, Any]], object]
"""What a command asks (`app/running/asking.py`) -> a document; None where the command has to find out by itself."""


class Desk:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp, *, answer: Answer, token: str) -> None:
        """Answer by `answer` at PATH whoever knows the token, and hand on the rest."""
        self._app, self._answer, self._token = app, answer, token
        self._greeted: OrderedDict[str, None] = OrderedDict()  # both sides' numbers, until they are used

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a command, or hand on."""
        if scope["type"] != "http" or path_below_root(scope) != PATH:
            await self._app(scope, receive, send)
            return
        response = problem_response(405, f"{PATH} answers POST alone.", {"Allow": "POST"})
        if scope["method"] == "POST":
            response = await self._respond(await read_short(receive, MOST_BYTES))
        await response(scope, receive, send)

    async def _respond(self, body: bytes | None) -> Response:
        if body is None:
            return problem_response(413, f"a command sends at most {MOST_BYTES} bytes.")
        word, _, theirs = body.partition(b" ")
        if word == HELLO.encode() and len(theirs) == len(nonce()):
            return self._greet(theirs.decode("latin-1"))
        numbers, _, message = body.partition(b"\n")
        both = numbers.decode("latin-1")
        if both not in self._greeted:
            return _refused()
        del self._greeted[both]
        asked = opened(self._token, ASKED, both, message)
        if asked is None:
            return _refused()
        said = await run_in_threadpool(self._answer, json.loads(asked))
        return Response(sealed(self._token, ANSWERED, both, json.dumps(said).encode()), media_type="text/plain")

    def _greet(self, theirs: str) -> Response:
        """The server's own number, with the proof that it knows the token."""
        own = nonce()
        self._greeted[f"{theirs} {own}"] = None
        while len(self._greeted) > MOST_GREETED:
            self._greeted.popitem(last=False)
        return Response(sealed(self._token, HELLO, theirs, own.encode()), media_type="text/plain")


def _refused() -> Response:
    return problem_response(403, "only commands that have read this server's note are answered here.")
