"""Answers which photos pass a filter: by SQL when it is asked once, by columns where the catalog stays as it is.

Columns take longer to read than one answer by SQL, and none to ask again: they are read when a state of the catalog is
asked for a second time, and dropped as soon as anybody has committed anything to it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from indexer.catalog.columns.photo_set import PhotoSet
from indexer.catalog.database import reading
from indexer.errors import WordIndexError

if TYPE_CHECKING:
    from indexer.catalog.catalog import Catalog
    from indexer.catalog.columns.photo_columns import PhotoColumns
    from indexer.catalog.photo_filter import PhotoFilter


class PhotoFilters:
    """The answers of one catalog; safe to ask from many threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Read nothing yet."""
        self._catalog = catalog
        self._lock = threading.Lock()
        self._asked: object = None  # the version of the catalog that was asked last
        self._columns: PhotoColumns | None = None  # of that version

    def allowed(self, model_id: int, wanted: PhotoFilter) -> PhotoSet:
        """The photos that a model has embedded and that pass the filter; raises as `Catalog.allowed_ids`."""
        version = self._catalog.version()
        with self._lock:
            again = version == self._asked
            if not again:
                self._asked, self._columns = version, None
            found = self._by_columns(model_id, wanted, version) if again else None
        return PhotoSet.of(self._catalog.allowed_ids(model_id, wanted)) if found is None else found

    def _by_columns(self, model_id: int, wanted: PhotoFilter, version: object) -> PhotoSet | None:
        """None where the catalog changes meanwhile, or its index of words is damaged."""
        from indexer.catalog.columns import column_filter, photo_columns  # not by a command that searches once

        if self._columns is None:
            catalog = self._catalog
            self._columns = photo_columns.PhotoColumns(
                lambda: reading(catalog.engine), lambda: catalog.version.now() == version
            )
        try:
            return column_filter.allowed(self._columns, model_id, wanted)
        except (photo_columns.CatalogChangedError, WordIndexError):
            self._asked = self._columns = None
            return None
