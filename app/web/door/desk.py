"""Answers commands of the same user on this machine, who prove that they have read the server's note; nobody else.

It stands behind the gate, whose password it does not ask for: the note's token, new with each start of the server, says
more. Neither side says the token, and the server proves first that it knows it.
"""

import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.running.proof import ANSWERED, ASKED, HELLO, MOST_BYTES, PATH, digest, nonce, opened, sealed
from app.web.door.forwarding import path_below_root
from app.web.door.short_bodies import read_short
from app.web.problems import problem_response

GREETED_S = 10  # that a greeting is good for

Answer = Callable[[Mapping[str, Any]], object]
"""What a command asks (`app/running/asking.py`) -> a document; None where the command has to find out by itself."""


class Desk:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp, *, answer: Answer, token: str) -> None:
        """Answer by `answer` at PATH whoever knows the token, and hand on the rest."""
        self._app, self._answer, self._token = app, answer, token
        self._used: dict[str, float] = {}  # both sides' numbers of questions that were heard, and when

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
        asked = opened(self._token, ASKED, both, message)
        if asked is None or not self._is_fresh(both):
            return _refused()
        said = await run_in_threadpool(self._answer, json.loads(asked))
        return Response(sealed(self._token, ANSWERED, both, json.dumps(said).encode()), media_type="text/plain")

    def _greet(self, theirs: str) -> Response:
        """The server's own number, with the proof that it knows the token; nothing is kept of who only greets."""
        own = self._number(theirs, f"{time.monotonic():.3f}", nonce())
        return Response(sealed(self._token, HELLO, theirs, own.encode()), media_type="text/plain")

    def _number(self, theirs: str, begun: str, once: str) -> str:
        """A number that says when it was given, and to which other one, under the token."""
        mark = digest(self._token, "greeting", f"{theirs} {begun} {once}".encode("utf-8", "replace"))
        return f"{begun}/{once}/{mark}"

    def _is_fresh(self, both: str) -> bool:
        """Whether the numbers are of a greeting of a moment ago, and of no other question; they are used up then."""
        theirs, _, own = both.partition(" ")
        begun, _, rest = own.partition("/")
        now = time.monotonic()
        given = self._number(theirs, begun, rest.partition("/")[0])
        if not hmac.compare_digest(given.encode(), own.encode()) or now - float(begun) > GREETED_S:
            return False
        self._used = {numbers: heard for numbers, heard in self._used.items() if now - heard <= GREETED_S}
        fresh = both not in self._used
        self._used[both] = now
        return fresh


def _refused() -> Response:
    return problem_response(403, "only commands that have read this server's note are answered here.")
