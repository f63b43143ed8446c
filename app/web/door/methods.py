"""What may be done at each path of the API: HEAD wherever GET may, OPTIONS told, anything else refused with the list.

It answers nothing else, and leaves other paths alone.
"""

from collections.abc import Collection, Mapping

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.problems import problem_response

LONGEST_TOLD = 200  # characters of a path
ASKED_HEAD = "picsift.head"  # in the scope of a GET that was asked as HEAD


class Methods:
    """An ASGI application in front of an API."""

    def __init__(self, app: ASGIApp, *, paths: Mapping[str, Collection[str]], own: tuple[str, ...]) -> None:
        """Keep the paths.

        Args:
            app: what answers.
            paths: path, with its parameters in braces -> the methods that its routes have.
            own: beginnings of paths under which nothing answers but these.
        """
        self._app = app
        self._own = own
        self._known = [(compile_path(path)[0], _methods(methods)) for path, methods in paths.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is no business of a route's, and hand on the rest."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not path.startswith(self._own):
            await self._app(scope, receive, send)
            return
        await answer_by_method(self._app, self._allowed(path), path, scope, receive, send)

    def _allowed(self, path: str) -> list[str]:
        return next((methods for pattern, methods in self._known if pattern.fullmatch(path)), [])


async def answer_by_method(
    app: ASGIApp, allowed: Collection[str], path: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer OPTIONS and what may not be done, and hand on the rest to `app`, HEAD as GET; `path` is for people."""
    method = scope["method"]
    if method not in allowed:
        await _refusal(method, path, allowed)(scope, receive, send)
    elif method == "OPTIONS":
        await _options(allowed, send)
    elif method == "HEAD":
        await app({**scope, "method": "GET", ASKED_HEAD: True}, receive, _without_body(send))
    else:
        await app(scope, receive, send)


def _methods(named: Collection[str]) -> list[str]:
    return sorted({*named, "OPTIONS"} | ({"HEAD"} if "GET" in named else set()))


def _refusal(method: str, path: str, allowed: Collection[str]) -> ASGIApp:
    if not allowed:
        return problem_response(404, f"nothing answers {method} {path[:LONGEST_TOLD]}. See /openapi.json.")
    others = ", ".join(allowed)
    return problem_response(405, f"{path} does not answer {method}, but {others}.", {"Allow": others})


async def _options(allowed: Collection[str], send: Send) -> None:
    headers = [(b"allow", ", ".join(allowed).encode())]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _without_body(send: Send) -> Send:
    """The head of an answer as it is, its length included, and nothing behind it."""

    async def head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return head
