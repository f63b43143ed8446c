"""The notice of one server: a note in its library's folder from when it answers until it ends."""

import importlib.metadata
import logging
import os
import secrets
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from app.running.note import Note, identity_of, leave, machine, sweep
from app.running.sources import digests, known, program

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # an address that stands for all -> the one of this machine itself

log = logging.getLogger(__name__)


class Origins(NamedTuple):
    """What a server's settings and its program come from, taken before it reads the settings.

    Attributes:
        token: of this run of the server.
        sources: see `sources.digests`.
        program: see `sources.program`.
    """

    token: str
    sources: dict[str, str]
    program: str

    @classmethod
    def now(cls, token: str | None = None) -> Self:
        """As they are; raises OSError where one cannot be read. None makes a token."""
        token = token or secrets.token_hex(32)
        return cls(token, digests(token), program())


class Notice:
    """Tells commands of the same user where the server is, if its library's folder can be written to."""

    def __init__(self, library: Path, settings: Collection[str], origins: Origins) -> None:
        """Put up nothing yet; `settings` are the names of all that there are."""
        self._library, self._origins = library, origins
        self._sources = known(origins.sources, settings)
        self._path: Path | None = None
        self._lock, self._ended = threading.Lock(), False

    @property
    def token(self) -> str:
        """Of this run of the server."""
        return self._origins.token

    def put_up(self, listens_at: tuple[Any, ...], host: str) -> None:
        """Write the note; `host` is what the server was told to listen on.

        There is none where it cannot be written, the server has ended, or something has changed since it began: what
        it has read may then be the old or the new.
        """
        with self._lock:
            if self._ended:
                return
            try:
                if Origins.now(self.token) != self._origins:
                    log.info("commands do not ask this server: its settings or its program changed while it started")
                    return
                folder = Path(os.path.realpath(self._library))  # where it is found again, wherever a link leads then
                sweep(folder)
                self._path = leave(self._note(folder, listens_at[0], listens_at[1], host), folder)
            except OSError as error:
                log.info("commands do not ask this server: no note in %s: %s", self._library, error.strerror)

    def take_down(self) -> None:
        """Remove the note, and put none up any more."""
        with self._lock:
            self._ended = True
            if self._path is not None:
                with suppress(OSError):
                    self._path.unlink()

    def _note(self, folder: Path, bound: str, port: int, host: str) -> Note:
        address = ANYWHERE.get(bound, bound)
        name = address if host in ANYWHERE else host
        return Note(
            address=address,
            port=port,
            host=f"[{name}]:{port}" if ":" in name else f"{name}:{port}",
            token=self.token,
            library=str(folder),
            identity=identity_of(folder),
            program=self._origins.program,
            sources=self._sources,
            machine=machine(),
            pid=os.getpid(),
            version=importlib.metadata.version("picsift"),
        )
