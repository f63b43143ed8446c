"""The gate before every request: host, origin, password, size of a body; and the headers of every answer.

It knows nothing of photos. It wraps the whole application, the page's event streams and web sockets included.
"""

import asyncio
import base64
import binascii
import hmac
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import problem_response

MAX_BODY_BYTES = 50 * 1024 * 1024
WRONG_PASSWORD_DELAY_S = 0.5
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

# Gradio compiles its templates in the page, hence 'unsafe-eval'; everything still comes from this server alone.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RefusedError(Exception):
    """A request that is not let in."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        """Keep what the answer says."""
        super().__init__(detail)
        self.status = status
        self.headers = headers


@dataclass(frozen=True)
class Gate:
    """An ASGI application that lets through what may pass.

    Attributes:
        app: what answers the requests that pass.
        password: wanted in HTTP Basic with any user name; None asks for nothing.
        hosts: the Host headers (without port) that are answered; None answers any. They keep a page on the
            internet from reaching a server without a password by giving its own name this machine's address.
        max_body: bytes of the largest request body.
    """

    app: ASGIApp
    password: str | None = None
    hosts: frozenset[str] | None = LOOPBACK_NAMES
    max_body: int = MAX_BODY_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            await self._check(Headers(scope=scope))
        except RefusedError as refusal:
            await _refuse(refusal, scope, receive, _with_headers(send))
            return
        await self.app(scope, _bounded(receive, self.max_body), _with_headers(send))

    async def _check(self, headers: Headers) -> None:
        check_host(headers, self.hosts)
        check_origin(headers)
        check_size(headers, self.max_body)
        if self.password is not None and not has_password(headers, self.password):
            if "authorization" in headers:
                await asyncio.sleep(WRONG_PASSWORD_DELAY_S)  # makes guessing slow
            raise RefusedError(
                401, "a password is needed.", {"WWW-Authenticate": 'Basic realm="picsift", charset="UTF-8"'}
            )


def check_host(headers: Headers, hosts: frozenset[str] | None) -> None:
    """Refuse a Host header that is none of `hosts`.

    Raises:
        RefusedError: 400.
    """
    name = _without_port(headers.get("host", ""))
    if hosts is not None and name not in hosts:
        raise RefusedError(400, f"this server does not answer to the name {name!r}. Open it as http://localhost.")


def check_origin(headers: Headers) -> None:
    """Refuse what another site's page sends, reading or writing.

    Raises:
        RefusedError: 403.
    """
    origin = headers.get("origin")
    if origin is not None and _netloc(origin) != headers.get("host", "").lower():
        raise RefusedError(403, f"requests from pages of another site ({origin}) are not answered.")


def check_size(headers: Headers, max_body: int) -> None:
    """Refuse a body that says it is too large.

    Raises:
        RefusedError: 413.
    """
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > max_body:
        raise RefusedError(413, _too_large(max_body))


def has_password(headers: Headers, password: str) -> bool:
    """Whether the request carries the password, compared in constant time."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, password.encode())


def is_loopback(host: str) -> bool:
    """Whether every address of `host` is this machine's own.

    Raises:
        OSError: the name has no address.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


async def _refuse(refusal: RefusedError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # the opening handshake
        await send({"type": "websocket.close", "code": 1008, "reason": str(refusal)})
        return
    await problem_response(refusal.status, str(refusal), refusal.headers)(scope, receive, send)


def _netloc(origin: str) -> str | None:
    """Host and port of an origin; None where it is no address, such as http://[::1."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _without_port(host: str) -> str:
    bracketed, bracket, _ = host.lower().partition("]")
    return bracketed + bracket if bracket else bracketed.partition(":")[0]


def _too_large(max_body: int) -> str:
    return f"the upload is larger than {max_body // 2**20} MB. Send a smaller picture."


def _bounded(receive: Receive, max_body: int) -> Receive:
    """Count a body that did not say how large it is."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if seen > max_body:
            raise HTTPException(413, _too_large(max_body))
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return with_headers
