"""Routes that look at a body before it is read: a larger one than JSON shall be, and a form in an odd character set.

Reading JSON takes a multiple of its length, and the gate's own bound is one for pictures (`security.py`). To tell of
each field that there is not takes far more, and a form may name any codec of Python's; idna takes a minute for a
megabyte. Meanwhile nobody else is answered.
"""

import codecs
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, model_validator
from python_multipart.multipart import parse_options_header
from starlette.types import Message, Receive

from app.web.picture_turns import PictureTurns

MAX_BYTES = 2**20
SMALL_BYTES = 128 * 2**10  # more than a description of the longest, every letter of it escaped
SPARE_KEYS = 20  # that are none of a document's fields, and told of one by one

SETS = {"utf-8", "ascii", "iso8859-1", "cp1252"}  # read as fast as they come
ODD_SET = "the form's character set is none that is read. Send its words in UTF-8."
LONGEST_KIND = 1000  # characters of a Content-Type


class Sent(BaseModel, extra="forbid"):
    """A document that a client sends: what it says must all be of use, and of very many fields none is looked at."""

    @model_validator(mode="before")
    @classmethod
    def _is_no_heap(cls, sent: object) -> object:
        if isinstance(sent, dict) and len(sent) > len(cls.model_fields) + SPARE_KEYS:
            known = ", ".join(field.alias or name for name, field in cls.model_fields.items())
            raise ValueError(f"{len(sent):,} fields are sent, and there are but these: {known}")
        return sent


class ShortBody(APIRoute):
    """A route that takes at most `most` bytes, and says so; of those that may be long a few are read at a time.

    A thousand that are sent slowly, a megabyte each, would else be in memory at once.
    """

    most = MAX_BYTES
    too_long = f"the request is longer than {MAX_BYTES // 2**20} MB. Send it in parts."

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request: 413 where it is too long."""
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            declared = request.headers.get("content-length", "0")
            size = int(declared) if declared.isdecimal() else 0
            if size > self.most:
                raise HTTPException(413, self.too_long)
            sent = Request(request.scope, self._counted(request.receive))
            if max(size, self.most if "transfer-encoding" in request.headers else 0) <= SMALL_BYTES:
                return await answer(sent)
            turns: PictureTurns = request.app.state.long_turns
            async with turns.body():
                return await answer(Request(request.scope, _whole(await turns.read(sent))))

        return bounded

    def _counted(self, receive: Receive) -> Callable[[], Awaitable[Message]]:
        """Count a body that did not say how long it is."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if seen > self.most:
                raise HTTPException(413, self.too_long)
            return message

        return counted


class SmallBody(ShortBody):
    """A route that takes a few fields."""

    most = SMALL_BYTES
    too_long = f"the request is longer than {SMALL_BYTES // 2**10} kB, and takes a few fields alone."


class PlainForm(APIRoute):
    """A route that takes a form, in one of SETS, and as few at a time as there are turns for pictures.

    Parts of a form that is sent slowly would else be kept in memory, 50 MB for each of a thousand connections.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request: 415 where it names another set, or has a Content-Type that is no form's."""
        answer = super().get_route_handler()

        async def plain(request: Request) -> Response:
            if not _is_plain(request.headers.get("content-type", "")):
                raise HTTPException(415, ODD_SET)
            turns: PictureTurns = request.app.state.turns
            async with turns.body():
                body = await turns.read(request)
                return await answer(Request(request.scope, _whole(body)))

        return plain


def _whole(body: bytes) -> Callable[[], Awaitable[Message]]:
    """Give a body that was read already."""

    async def whole() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return whole


def _is_plain(kind: str) -> bool:
    """Whether the character set of a form is in SETS, as the reader of forms understands its Content-Type."""
    if len(kind) > LONGEST_KIND:
        return False
    named = parse_options_header(kind)[1].get(b"charset", b"utf-8")
    try:
        return codecs.lookup(named.decode("latin-1")).name in SETS
    except (LookupError, ValueError):  # none that Python knows, or no name at all
        return False


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
