"""Which photos may be copies of others: by what is read of each, or by all copies where the catalog stays as it is.

All of a library's copies are read at once from the index of contents, in about what a hundred searches take to read
theirs: once for each state of the catalog that is asked for often, and dropped as soon as anybody has committed
anything to it.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from indexer.catalog.columns.photo_set import PhotoSet
from indexer.catalog.database import fetch_ids, reading
from indexer.catalog.tables.photo_tables import PhotoRow

if TYPE_CHECKING:
    from indexer.catalog.catalog import Catalog

OFTEN = 16  # times that one state of the catalog is asked for before all its copies are read


class CopiedPhotos:
    """The answers of one catalog; safe to ask from many threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Read nothing yet."""
        self._catalog = catalog
        self._lock = threading.Lock()
        self._version: object = None
        self._asked = 0  # times, of that version
        self._copied: PhotoSet | None = None  # of that version

    def among(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of photos (n,) may have the content of another one of these; the others have not."""
        version = self._catalog.version()  # before what is read: of an older one nothing is kept
        with self._lock:
            if version != self._version:
                self._version, self._asked, self._copied = version, 0, None
            self._asked += 1
            copied, is_due = self._copied, self._asked == OFTEN
        if is_due:
            copied = self._read(version)
        return self._by_contents(ids) if copied is None else copied.holds(ids)

    def _by_contents(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        known = self._catalog.contents(ids.tolist())
        several = {content for content, count in Counter(known.values()).items() if count > 1}
        return np.array([known.get(number) in several for number in ids.tolist()], np.bool_)

    def _read(self, version: object) -> PhotoSet | None:
        """All photos whose content another one has; None where the catalog has changed meanwhile."""
        several = select(PhotoRow.content_hash).group_by(PhotoRow.content_hash).having(func.count() > 1)
        with reading(self._catalog.engine) as connection:
            found = fetch_ids(connection, select(PhotoRow.id).where(PhotoRow.content_hash.in_(several)))
        copied = PhotoSet.of(found)
        with self._lock:
            if self._catalog.version.now() != version or self._version != version:  # whatever this thread holds
                return None
            self._copied = copied
        return copied
