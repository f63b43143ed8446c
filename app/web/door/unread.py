"""How long a client has read nothing of what it is sent. A full buffer alone does not tell: a slow one is full, too.

It closes nothing; who waits too long for whom is decided in `connections.py`.
"""

import array
import asyncio
import sys
from collections.abc import Callable

if sys.platform == "linux":
    import fcntl
    import termios


class Unread:
    """Looks now and then whether less is left to be read, from when a connection's buffer is full."""

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        every_s: float,
        left: Callable[[], int],
        least: int = 1,
    ) -> None:
        """Look every `every_s` seconds; `left` tells the bytes that wait for the client, `least` how many are some."""
        self._transport, self._loop, self._every_s, self._left, self._least = transport, loop, every_s, left, least
        self._last: int | None = None
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def since(self) -> float | None:
        """The loop's time from when on next to nothing was read; None where nothing waits for it in this process."""
        if not self._transport.get_write_buffer_size():
            self._last = None
            return None
        left = self._left()
        if self._last is None or left <= self._last - self._least:
            self._since, self._last = self._loop.time(), left
        self._last = max(self._last, left)  # a byte now and then adds up, and does not count by itself
        return self._since

    def read(self) -> None:
        """Hear that the client has read so much that more is written: as much may wait as before."""
        self._last = None

    def watch(self) -> None:
        """Look now, and again as long as anything waits, so that `since` tells how old the client's silence is."""
        self.end()
        if self.since() is not None:
            self._timer = self._loop.call_later(self._every_s, self.watch)

    def end(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def bytes_left(transport: asyncio.Transport) -> int:
    """Bytes that the client has not taken: of the process's buffer, and on Linux of the system's, too.

    The system's takes megabytes, and asks for more when much of them is gone: a minute of a slow line.
    """
    left = transport.get_write_buffer_size()
    connected = transport.get_extra_info("socket")
    if sys.platform == "linux" and connected is not None:
        queued = array.array("i", [0])
        try:
            fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, queued)
        except (OSError, ValueError):  # closed, or no TCP
            return left
        left += queued[0]
    return left
