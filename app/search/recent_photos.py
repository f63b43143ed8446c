"""What was looked up of photos last, as the catalog has it now: it is asked for again after any change of it.

It decides nothing; what is kept is what the catalog gave.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.catalog.catalog import Catalog
from indexer.catalog.columns.copied_photos import CopiedPhotos
from indexer.catalog.records import PhotoRecord

REMEMBERED = 4096  # photos; a few megabytes
CONTENTS = 4096  # contents of photos; a megabyte

_T = TypeVar("_T")


class _Recent(Generic[_T]):
    """Something of each photo, by its id; safe to ask from many threads."""

    def __init__(self, catalog: Catalog, read: Callable[[list[int]], Mapping[int, _T]], most: int) -> None:
        """Know nothing yet; of what was asked for last, so many are kept."""
        self._catalog = catalog
        self._read = read
        self._most = most
        self._lock = threading.Lock()
        self._version: object = None
        self._kept: OrderedDict[int, _T] = OrderedDict()

    def of(self, ids: Sequence[int]) -> dict[int, _T]:
        """What there is of these photos."""
        version = self._catalog.version()  # before what is read: an older one is only asked for once too often
        found = self._known(ids, version)
        if lacking := [number for number in ids if number not in found]:
            read = self._read(lacking)
            self._keep(read, version)
            found |= read
        return found

    def _known(self, ids: Sequence[int], version: object) -> dict[int, _T]:
        with self._lock:
            if version != self._version:
                self._kept.clear()
                self._version = version
            found = {number: self._kept[number] for number in ids if number in self._kept}
            for number in found:
                self._kept.move_to_end(number)
            return found

    def _keep(self, read: Mapping[int, _T], version: object) -> None:
        with self._lock:
            if version != self._version:
                return
            self._kept.update(read)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


class RecentPhotos:
    """Photos by id, and their contents; safe to ask from many threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Know none yet."""

        def read(ids: list[int]) -> dict[int, PhotoRecord]:
            return {photo.id: photo for photo in catalog.photos(ids)}

        def contents(ids: list[int]) -> dict[int, str | None]:
            return {**dict.fromkeys(ids), **catalog.contents(ids)}

        self._photos = _Recent(catalog, read, REMEMBERED)
        self._contents = _Recent(catalog, contents, CONTENTS)
        self._copied = CopiedPhotos(catalog)

    def __call__(self, ids: Sequence[int]) -> list[PhotoRecord]:
        """Photos in the order asked for; unknown ids are left out."""
        found = self._photos.of(ids)
        return [found[number] for number in ids if number in found]

    def contents(self, ids: Sequence[int]) -> Mapping[int, str | None]:
        """The hashes of their contents, by their ids; None where there is none, or no such photo."""
        return self._contents.of(ids)

    def may_be_copies(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of photos (n,) may have the content of another one of these; the others have not."""
        return self._copied.among(ids)
