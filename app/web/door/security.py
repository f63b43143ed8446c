"""The gate before every request: host, origin, password, size of a body; and the headers of every answer.

It knows nothing of photos. It wraps the whole application, the page's event streams and web sockets included.
"""

import base64
import binascii
import ipaddress
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.password_hash import LONGEST_BYTES
from app.web.door.doorkeeper import AT_THE_DOOR, Doorkeeper, Verdict
from app.web.door.forwarding import Proxies, name_in, path_below_root, sender_of
from app.web.problems import problem_response

MAX_BODY_BYTES = 50 * 1024 * 1024
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
LONGEST_TOLD = 200  # characters of what a refusal quotes
PORTS = {"http": 80, "https": 443}  # that an address need not name
CHALLENGE = {"WWW-Authenticate": 'Basic realm="picsift", charset="UTF-8"'}

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

_SENT = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in HEADERS.items()]
_UNKEPT = (b"x-accel-buffering", b"no")  # of a stream: nginx keeps what is small until there is more of it


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
        keeper: knows the password, which is wanted in HTTP Basic with any user name; None asks for nothing.
        hosts: the Host headers (without port) that are answered; None answers any. They keep a page on the
            internet from reaching a server without a password by giving its own name this machine's address.
        proxies: whose word is taken for what a request was before it came here.
        max_body: bytes of the largest request body.
        locked: a path with a lock of its own, where no password is asked for; None is none.
    """

    app: ASGIApp
    keeper: Doorkeeper | None = None
    hosts: frozenset[str] | None = LOOPBACK_NAMES
    proxies: Proxies = field(default_factory=Proxies)
    max_body: int = MAX_BODY_BYTES
    locked: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        send, asked = _with_headers(send), scope
        try:
            check_host(Headers(scope=scope), None if self.proxies.stands_elsewhere(scope) else self.hosts)
            scope = self.proxies.seen_from_outside(scope)
            asked[AT_THE_DOOR] = True
            await self._check(scope)
        except RefusedError as refusal:
            await _refuse(refusal, scope, receive, send)
            return
        finally:
            asked.pop(AT_THE_DOOR, None)
        if scope["path"] == scope.get("root_path") and scope["type"] == "http":
            await RedirectResponse(scope["path"] + "/")(scope, receive, send)  # what is relative would be beside it
            return
        await self.app(scope, _bounded(receive, self.max_body), send)

    async def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        check_origin(headers)
        check_size(headers, self.max_body)
        if self.keeper is None or (scope["type"] == "http" and path_below_root(scope) == self.locked):
            return
        answer = given_password(headers)
        verdict = Verdict.WRONG if answer is None else await self.keeper.check(answer, sender_of(scope))
        if verdict is Verdict.TOO_MANY:
            raise RefusedError(429, "too many wrong passwords wait for an answer. Wait.", {"Retry-After": "30"})
        if verdict is Verdict.WRONG:
            raise RefusedError(401, "a password is needed.", CHALLENGE)


def check_host(headers: Headers, hosts: frozenset[str] | None) -> None:
    """Refuse a Host header that is none of `hosts`, or no name at all: what is made of it would be no address.

    Raises:
        RefusedError: 400.
    """
    host = headers.get("host", "")
    try:
        name = name_in(host) if host else ""
    except ValueError:
        raise RefusedError(400, f"{host[:LONGEST_TOLD]!r} is no name of a server.") from None
    if hosts is not None and name not in hosts:
        raise RefusedError(
            400,
            f"this server does not answer to the name {name[:LONGEST_TOLD]!r}. Open it as http://localhost; or, if a "
            "proxy or a name of yours leads here, start it with --allowed-host NAME, or with a password.",
        )


def check_origin(headers: Headers) -> None:
    """Refuse what another site's page sends, reading or writing.

    Raises:
        RefusedError: 403.
    """
    origin = headers.get("origin")
    if origin is not None and not is_same_site(origin, headers.get("host", "")):
        raise RefusedError(
            403,
            f"requests from pages of another site ({origin[:LONGEST_TOLD]!r}) are not answered. If that is the "
            "address of a proxy that leads here, start this with --trusted-proxy ADDRESS, and have the proxy send "
            "X-Forwarded-Host.",
        )


def is_same_site(origin: str, host: str) -> bool:
    """Whether a page of `origin` came from `host`; the port that a scheme has of itself may be named or not."""
    try:
        page = urlsplit(origin)
        server = urlsplit(f"{page.scheme}://{host}")
        usual = PORTS.get(page.scheme, 0)
        ports = (page.port or usual, server.port or usual)
    except ValueError:  # no address at all
        return False
    return bool(page.hostname) and page.hostname == server.hostname and ports[0] == ports[1]


def check_size(headers: Headers, max_body: int) -> None:
    """Refuse a body that says it is too large.

    Raises:
        RefusedError: 413.
    """
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > max_body:
        raise RefusedError(413, _too_large(max_body))


def given_password(headers: Headers) -> str | None:
    """The password that the request carries; None where there is none."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if not encoded:
        return None
    if scheme.lower() != "basic":
        return ""  # an answer, and none that can be right
    try:
        given = base64.b64decode(encoded.strip(" "), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return ""
    return given.decode("utf-8", "surrogateescape") if len(given) <= LONGEST_BYTES else ""


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
            headers = list(message["headers"])
            given = {name.lower(): value for name, value in headers}
            headers += [header for header in _SENT if header[0] not in given]
            if given.get(b"content-type", b"").startswith(b"text/event-stream") and _UNKEPT[0] not in given:
                headers.append(_UNKEPT)
            message["headers"] = headers
        await send(message)

    return with_headers
