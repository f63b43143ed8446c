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
from indexer.catalog.records import PhotoRecord

REMEMBERED = 4096  # photos; a few megabytes
CONTENTS = 4096  # contents of photos; a megabyte
NUMBERED = 1 << 24  # ids below which a photo's content has a number that is kept, in 8 bytes

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


class _ContentNumbers:
    """A number for each photo, the same for all of one content; safe to ask from many threads.

    Another content has the same one once in 4 * 10^18 pairs: what it says are copies has to be looked at again.
    """

    def __init__(self, catalog: Catalog) -> None:
        """Know nothing yet."""
        self._catalog = catalog
        self._lock = threading.Lock()
        self._version: object = None
        self._kept: NDArray[np.int64] = np.zeros(0, np.int64)  # by the photo's id; 0 where it was not read yet

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of photos (n,); one without a content, or that is not there, has one of its own."""
        version = self._catalog.version()  # before what is read, as above
        with self._lock:
            if version != self._version:
                self._kept, self._version = np.zeros(0, np.int64), version
            kept = self._kept
            end = min(int(ids.max(initial=0)) + 1, NUMBERED)
            if end > len(kept):  # memory that nobody has written to takes none
                self._kept = np.zeros(min(2 * end, NUMBERED), np.int64)
                self._kept[: len(kept)] = kept
                kept = self._kept
        found = np.where(ids < len(kept), np.take(kept, ids, mode="clip"), 0)
        if len(lacking := ids[found == 0]):
            contents = self._catalog.contents(lacking.tolist())
            read = [_number(contents.get(number), number) for number in lacking.tolist()]
            found[found == 0] = read
            is_kept = lacking < len(kept)
            kept[lacking[is_kept]] = np.array(read, np.int64)[is_kept]  # of its version still, if that is past
        return found


def _number(content: str | None, photo_id: int) -> int:
    """Never 0: above it that of a content, of 62 bits; below it that of the photo alone, where there is none."""
    return (hash(content) & ((1 << 62) - 1)) + 1 if content else -photo_id - 1


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
        self._numbers = _ContentNumbers(catalog)

    def __call__(self, ids: Sequence[int]) -> list[PhotoRecord]:
        """Photos in the order asked for; unknown ids are left out."""
        found = self._photos.of(ids)
        return [found[number] for number in ids if number in found]

    def contents(self, ids: Sequence[int]) -> Mapping[int, str | None]:
        """The hashes of their contents, by their ids; None where there is none, or no such photo."""
        return self._contents.of(ids)

    def may_be_copies(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of photos (n,) seem to have the content of another one of these."""
        _, groups, sizes = np.unique(self._numbers.of(ids), return_inverse=True, return_counts=True)
        return np.asarray(sizes[groups] > 1)
