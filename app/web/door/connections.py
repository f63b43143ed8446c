"""The connections of the server: how long each may keep it waiting, how many there may be, how quickly answers leave.

It reads no request and answers none; that is uvicorn's, which can be reached by inheritance alone.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.web.door.doorkeeper import AT_THE_DOOR
from app.web.door.last_word import LastWord
from app.web.door.one_write import OneWrite
from app.web.door.open_files import open_files
from app.web.door.page_door import STREAM
from app.web.door.security import HEADERS
from app.web.door.unread import Unread, bytes_left
from app.web.problems import problem_response

MOST_CONNECTIONS = 1024
MOST_LINGERING = 64  # beside those, that are told no more and still send
LEAST_READ = 10_000  # bytes in `unread_s`: less is as good as nothing, and by it one client could keep all places
REASON = (
    "this is no HTTP request that can be read: it is damaged or too long, has no Host, or has letters in its address "
    "that stand there as %C3%A9 for é."
)
FULL = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 10\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Patience:
    """What one connection, and all of them together, may take.

    Attributes:
        head_s: seconds for a whole head of a request, from the connection's start or the last answer's end.
        body_s: seconds for a body, and as many more as its size takes at `body_bytes_per_s`.
        body_bytes_per_s: the slowest that a body may come.
        unread_s: seconds that a client may read next to nothing of its answer, where others wait for its place.
        most: connections at a time; None is what suits the limit of open files.
    """

    head_s: float = 10.0
    body_s: float = 20.0
    body_bytes_per_s: int = 10_000
    unread_s: float = 30.0
    most: int | None = None

    @property
    def connections(self) -> int:
        """How many there may be: half of the files, since the library and the workers need the rest."""
        return self.most or min(MOST_CONNECTIONS, max(8, open_files() // 2))


class Connection(H11Protocol):
    """One connection, closed when what it began to send does not come to its end.

    Where there are too many, a new one takes the place of the one that has kept the server waiting longest, or waits
    itself with a wrong password, or has long not read its answer.
    """

    def __init__(self, *args: Any, patience: Patience, **kwargs: Any) -> None:
        """Take uvicorn's arguments, and the bounds."""
        super().__init__(*args, **kwargs)
        self._patience = patience
        self._waits_for = ""  # "head", "body" or nothing
        self._since = 0.0
        self._received = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        send_at_once(transport)
        self._last_word = LastWord(OneWrite(transport, self.loop), self.loop, self._may_send)
        super().connection_made(self._last_word)  # type: ignore[arg-type]  # it does what one does
        left = partial(bytes_left, transport)
        self._unread = Unread(transport, self.loop, self._patience.unread_s / 4, left, LEAST_READ)
        self._look()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        """See what came, and what is still missing."""
        if self._last_word.lingers:
            self._last_word.heard()
            return
        self._received += len(data)
        super().data_received(data)
        self._look(len(data))

    def pause_writing(self) -> None:
        """Look from now on whether the client reads what it is sent."""
        super().pause_writing()
        self._unread.watch()

    def resume_writing(self) -> None:
        """It reads."""
        super().resume_writing()
        self._unread.read()

    def on_response_complete(self) -> None:
        """Wait for the next head."""
        super().on_response_complete()
        self._look()

    def shutdown(self) -> None:
        """End with the server; who is only listened to any more, at once."""
        if self._last_word.lingers:
            self._last_word.abort()
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._waits_for = ""
        self._unread.end()
        self._last_word.end()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong, where no answer was begun; where one was, uvicorn would fail, or the application."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        answer = problem_response(400, REASON)
        headers = [*answer.raw_headers, *((name.lower().encode(), text.encode()) for name, text in HEADERS.items())]
        head = h11.Response(status_code=400, headers=[*headers, (b"connection", b"close")], reason=b"Bad Request")
        to_head = self.conn.our_state is h11.SEND_RESPONSE and self.scope["method"] == "HEAD"  # it was read so far
        body = [] if to_head else [h11.Data(data=bytes(answer.body))]
        with suppress(h11.LocalProtocolError):  # no answer may follow what came
            for event in (head, *body, h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Never: to another protocol a client goes only where it is let, and it is no news that one asks."""
        return False

    def _may_send(self) -> bool:
        """Whether there may be more of the request, or was something behind it, when no more is answered."""
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR) or bool(self.conn.trailing_data[0])

    def _look(self, received: int = 0) -> None:
        """Start the clock anew when something else is waited for than before; `received` may be the first of it."""
        waits_for = {h11.IDLE: "head", h11.SEND_BODY: "body"}.get(self.conn.their_state, "")
        if waits_for == self._waits_for or self.transport.is_closing():
            return
        self._waits_for, self._since, self._received = waits_for, self.loop.time(), received
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waits_for:
            self._timer = self.loop.call_later(self._allowed_s(), self._end)

    def _allowed_s(self) -> float:
        if self._waits_for == "head":
            return self._patience.head_s
        return self._patience.body_s + self._received / self._patience.body_bytes_per_s

    def _end(self) -> None:
        """Close, unless enough came meanwhile, an answer still leaves, or it is the application that does not read."""
        if self._last_word.lingers:
            return
        cycle = self.cycle if self._waits_for == "body" else None
        leaves = self._unread.since() is not None and not self._is_deaf()
        if leaves or self.flow.read_paused or (cycle is not None and cycle.waiting_for_100_continue):
            self._since = self.loop.time()
        left_s = self._since + self._allowed_s() - self.loop.time()
        if left_s <= 0:
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(left_s, self._end)

    def _make_room(self) -> None:
        if len(self.connections) <= self._patience.connections:
            return
        every = [one for one in self.connections if isinstance(one, Connection)]
        lingering = [one._last_word for one in every if one._last_word.lingers]
        if len(lingering) > MOST_LINGERING:
            min(lingering, key=lambda one: one.since).abort()
        if len(every) - len(lingering) <= self._patience.connections:
            return
        others = [one for one in every if one is not self and not one._last_word.lingers]
        may_go = [(rank, other) for other in others if (rank := other._gives_way()) is not None]
        if may_go:
            min(may_go, key=lambda one: one[0])[1].transport.abort()
            return
        self.transport.write(FULL)
        self._last_word.linger()

    def _gives_way(self) -> tuple[int, float] | None:
        """How soon it gives way to a new one: kind, and since when it is of it; None where it does not."""
        closes = self.transport.is_closing()
        if not closes and self.scope is not None and AT_THE_DOOR in self.scope:
            return 0, self._since  # a wrong password waits for long, and would have others wait in front of the door
        unread_since = self._unread.since()
        if closes or unread_since is not None:
            return (3, unread_since or 0.0) if self._is_deaf() else None
        if self._waits_for:
            return (1 if self._waits_for == "head" else 2), self._since  # a body may be a picture on a slow line
        return (4, self._since) if self.scope is not None and STREAM in self.scope.get("state", {}) else None

    def _is_deaf(self) -> bool:
        """Whether the client has long read nothing of what waits for it."""
        since = self._unread.since()
        return since is not None and self.loop.time() - since >= self._patience.unread_s


def send_at_once(transport: asyncio.Transport) -> None:
    """Have small answers leave at once: asyncio sets TCP_NODELAY only on sockets that name their protocol."""
    connected = transport.get_extra_info("socket")
    with suppress(OSError, AttributeError):  # it is gone already, or is no TCP
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def protocol(patience: Patience) -> Callable[..., Connection]:
    """What uvicorn makes of each connection."""
    return partial(Connection, patience=patience)
