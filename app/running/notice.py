"""The notice of one server: a note in its library's folder from when it answers until it ends."""

import importlib.metadata
import logging
import os
import secrets
import socket
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.running.note import Note, identity_of, leave, sweep
from app.running.sources import digests, known, program

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # an address that stands for all -> the one of this machine itself

log = logging.getLogger(__name__)


class Notice:
    """Tells commands of the same user where the server is, if its library's folder can be written to."""

    def __init__(self, library: Path, settings: Collection[str]) -> None:
        """Make a token, and note what settings come from; `settings` are the names of all that there are."""
        self.token = secrets.token_hex(32)
        self._library = library
        self._sources = known(digests(self.token), settings)
        self._path: Path | None = None
        self._lock, self._ended = threading.Lock(), False

    def put_up(self, listens_at: tuple[Any, ...], host: str) -> None:
        """Write the note, if that can be done and the server has not ended; `host` is what it was told to listen on."""
        with self._lock:
            if self._ended:
                return
            try:
                sweep(self._library)
                self._path = leave(self._note(listens_at[0], listens_at[1], host), self._library)
            except OSError as error:
                log.info("commands do not ask this server: no note in %s: %s", self._library, error.strerror)

    def take_down(self) -> None:
        """Remove the note, and put none up any more."""
        with self._lock:
            self._ended = True
            if self._path is not None:
                with suppress(OSError):
                    self._path.unlink()

    def _note(self, bound: str, port: int, host: str) -> Note:
        address = ANYWHERE.get(bound, bound)
        name = address if host in ANYWHERE else host
        return Note(
            address=address,
            port=port,
            host=f"[{name}]:{port}" if ":" in name else f"{name}:{port}",
            token=self.token,
            library=os.path.realpath(self._library),
            identity=identity_of(self._library),
            program=program(),
            sources=self._sources,
            machine=socket.gethostname(),
            pid=os.getpid(),
            version=importlib.metadata.version("picsift"),
        )
