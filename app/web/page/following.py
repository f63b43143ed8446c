"""How many photos the library has at this moment, for pages that stay open; counted again after a change only."""

import threading

from indexer.catalog.catalog import Catalog


class PhotoCount:
    """The number of photos that can be found; safe to ask from many threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Count nothing yet."""
        self._catalog = catalog
        self._lock = threading.Lock()
        self._version: object = None
        self._photos = 0

    def __call__(self) -> int:
        """The number as of the last commit of any process. Raises LibraryError."""
        version = self._catalog.version()  # before they are counted: an older one only has them counted once too often
        with self._lock:
            if version != self._version:
                self._photos = self._catalog.counts().photos
                self._version = version
            return self._photos
