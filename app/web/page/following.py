"""How many photos the library has at this moment, for pages that stay open; counted again after a change only."""

import secrets
import threading
from typing import NamedTuple

from indexer.catalog.catalog import Catalog


class Now(NamedTuple):
    """The library as of the last commit of any process; `version` is another text after any, and in another server."""

    photos: int
    ready: int
    """Those that the model which answers has embedded."""
    failed: int
    version: str


class PhotoCount:
    """The number of photos that can be found, and of those that failed; safe to ask from many threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Count nothing yet."""
        self._catalog = catalog
        self._lock = threading.Lock()
        self._version: object = None
        self._now = Now(0, 0, 0, "")
        self._mine = secrets.token_hex(4)  # a version is a number that each server counts anew

    def __call__(self) -> Now:
        """The numbers as of the last commit of any process. Raises LibraryError."""
        version = self._catalog.version()  # before they are counted: an older one only has them counted once too often
        with self._lock:
            if version != self._version:
                counts = self._catalog.counts()
                model = self._catalog.active_model()
                ready = 0 if model is None else min(self._catalog.embedded(model.id), counts.photos)
                said = "-".join(map(str, (self._mine, *version)))
                self._now = Now(counts.photos, ready, counts.failed, said)
                self._version = version
            return self._now
