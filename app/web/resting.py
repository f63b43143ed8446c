"""Gives memory back once the server has rested for a while: what computing needed stays with the process otherwise."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from indexer import memory

REST_S = 10.0  # without an answer
LONGEST_S = 120.0  # after the first answer, where there is no rest


class Resting:
    """Passes requests on; some seconds after the last one it gives back what was freed, in a thread.

    It costs some hundredths of a second of CPU, and as much again for pages that are needed anew: nothing to do between
    two requests that follow each other, and nothing to leave out for good where they never end.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        rest_s: float = REST_S,
        longest_s: float = LONGEST_S,
        give_back: Callable[[], None] = memory.give_back,
    ) -> None:
        """Pass requests on to `app`."""
        self._app = app
        self._rest_s, self._longest_s, self._give_back = rest_s, longest_s, give_back
        self._first = self._last = 0.0  # when an answer ended, since memory was given back
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # of the timer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one on, and note when it ended."""
        try:
            await self._app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                self._ended()

    def _ended(self) -> None:
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        if self._timer is None or self._loop is not loop:
            self._first = self._last
            self._loop, self._timer = loop, loop.call_later(self._rest_s, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give back, or look again when there may have been a rest."""
        now = loop.time()
        left_s = min(self._last + self._rest_s, self._first + self._longest_s) - now
        if left_s > 0:
            self._timer = loop.call_later(left_s, self._look, loop)
            return
        self._timer = None
        loop.run_in_executor(None, self._give_back)
