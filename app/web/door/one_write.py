"""Sends the head of an answer and its body as one, where they are handed over one after the other.

uvicorn writes each by itself. That is two calls of the system, two packets, and a client that is woken twice: a tenth
of what a search takes. It changes nothing of what is sent, nor its order.
"""

from __future__ import annotations

import asyncio
from typing import Any

LONGEST = 64 * 1024  # bytes that are put together; a longer body is sent behind its head, rather than copied


class OneWrite:
    """A transport that keeps a first write back until the next one, or until the loop has nothing else to call."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Stand for the transport, all else of which is its own."""
        self._transport = transport
        self._loop = loop
        self._kept = b""

    def __getattr__(self, name: str) -> Any:
        """What else a transport does."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it, after what was kept back, or keep it back for a moment."""
        if self._kept:
            self._send(data)
        elif data:
            self._kept = data
            self._loop.call_soon(self._send)

    def close(self) -> None:
        """Send what was kept back, then close."""
        self._send()
        self._transport.close()

    def write_eof(self) -> None:
        """Send what was kept back, and that nothing follows."""
        self._send()
        self._transport.write_eof()

    def abort(self) -> None:
        """Close, and send nothing more."""
        self._kept = b""
        self._transport.abort()

    def _send(self, more: bytes = b"") -> None:
        kept, self._kept = self._kept, b""
        if kept and len(more) > LONGEST:
            self._transport.write(kept)
            kept = b""
        if kept or more:
            self._transport.write(kept + more)
