"""Closes a connection so that the last answer is heard by a client that still sends (RFC 9112, 9.6).

To close at once has the system answer whatever else comes with a reset, at which many clients fail, or drop what they
have not read yet. So nothing more is sent, and what comes is passed over for a while. It says nothing itself.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

LONGEST_S = 30.0
SILENCE_S = 5.0


class LastWord:
    """A transport that listens on when it is closed, where its client may still send."""

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop, sends: Callable[[], bool]) -> None:
        """Stand for the transport, all else of which is its own; `sends` says whether more may come."""
        self._transport, self._loop, self._sends = transport, loop, sends
        self._timer: asyncio.TimerHandle | None = None
        self.since = self._heard = 0.0  # when it began to linger, and when something came last
        self.lingers = False

    def __getattr__(self, name: str) -> Any:
        """What else a transport does."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it, unless the last word was said."""
        if not self.lingers:
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.lingers or bool(self._transport.is_closing())

    def close(self) -> None:
        """Send what was written; then close, at once where nothing more can come."""
        if self.lingers:
            return
        if self._sends():
            self.linger()
        else:
            self._transport.close()

    def linger(self) -> None:
        """Send what was written, and that this was all; close when the client does, is silent, or takes too long."""
        if self.is_closing():
            return
        self.lingers = True
        with suppress(OSError):  # it is gone
            self._transport.write_eof()
        self._transport.resume_reading()
        self.since = self._heard = self._loop.time()
        self._look()

    def heard(self) -> None:
        """Hear that the client still sends."""
        self._heard = self._loop.time()

    def abort(self) -> None:
        """Close, and send nothing more."""
        self.end()
        self._transport.abort()

    def end(self) -> None:
        """Wait for nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        left_s = min(self.since + LONGEST_S, self._heard + SILENCE_S) - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._transport.close()  # what is still unread of an answer leaves first
