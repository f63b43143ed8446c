"""The photos that were looked up last, as the catalog has them now: they are asked for again after any change of it.

It decides nothing; what is kept is what `Catalog.photos` gave.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from indexer.catalog.catalog import Catalog
from indexer.catalog.records import PhotoRecord

REMEMBERED = 4096  # photos; a few megabytes


class RecentPhotos:
    """Photos by id; safe to ask from many threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Know none yet."""
        self._catalog = catalog
        self._lock = threading.Lock()
        self._version: object = None
        self._photos: OrderedDict[int, PhotoRecord] = OrderedDict()

    def __call__(self, ids: Sequence[int]) -> list[PhotoRecord]:
        """Photos in the order asked for; unknown ids are left out."""
        version = self._catalog.version()  # before what is read: an older one is only asked for once too often
        found = self._known(ids, version)
        lacking = [number for number in ids if number not in found]
        if lacking:
            read = {photo.id: photo for photo in self._catalog.photos(lacking)}
            self._keep(read, version)
            found |= read
        return [found[number] for number in ids if number in found]

    def _known(self, ids: Sequence[int], version: object) -> dict[int, PhotoRecord]:
        with self._lock:
            if version != self._version:
                self._photos.clear()
                self._version = version
            found = {number: self._photos[number] for number in ids if number in self._photos}
            for number in found:
                self._photos.move_to_end(number)
            return found

    def _keep(self, read: dict[int, PhotoRecord], version: object) -> None:
        with self._lock:
            if version != self._version:
                return
            self._photos.update(read)
            while len(self._photos) > REMEMBERED:
                self._photos.popitem(last=False)
