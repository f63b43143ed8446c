"""File names as one text of bytes, in which a part of a name is found for all photos at once. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from indexer.catalog.filters.names import is_pattern, pattern, same

_BETWEEN = b"\0"  # which no name holds
_REMEMBERED = 8  # patterns
_SPARSE = 16  # bytes for each place that is left, from which single places are looked at rather than all

Mask = NDArray[np.bool_]


class NameColumn:
    """The names of n photos, in the form in which they are compared."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the names in the order of the photos."""
        parts = [same(name).encode("utf-8", "surrogatepass") for name in names]
        self._text = np.frombuffer(_BETWEEN.join(parts) + _BETWEEN, np.uint8)
        lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        self._starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths + 1)[:-1]])[: len(parts)]
        self._common = np.bincount(self._text, minlength=256)
        self._patterns: OrderedDict[str, Mask] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use, patterns aside."""
        return self._text.nbytes + self._starts.nbytes

    def matching(self, wanted: str) -> Mask:
        """Which names are meant (n,), as `names.matches` says it."""
        text = same(wanted)
        if is_pattern(text):
            return self._like(wanted)
        found = np.zeros(len(self._starts), np.bool_)
        sought = text.encode("utf-8", "surrogatepass")
        if not sought:
            return ~found
        if _BETWEEN not in sought and len(found) and len(sought) < len(self._text):
            self._mark(found, np.frombuffer(sought, np.uint8))
        return found

    def _mark(self, found: Mask, sought: NDArray[np.uint8]) -> None:
        """Mark the names that hold some bytes, of which the rarest are looked for first."""
        places = len(self._text) - len(sought) + 1
        order = np.argsort(self._common[sought], kind="stable").tolist()
        holds = np.zeros(len(self._text), np.bool_)  # where the bytes looked for so far stand
        np.equal(self._text[order[0] : order[0] + places], sought[order[0]], out=holds[:places])
        for done, at in enumerate(order[1:], 1):
            if np.count_nonzero(holds) * _SPARSE < places:
                self._mark_single(found, np.flatnonzero(holds), sought, order[done:])
                return
            holds[:places] &= self._text[at : at + places] == sought[at]
        np.logical_or.reduceat(holds, self._starts, out=found)

    def _mark_single(self, found: Mask, left: NDArray[np.int64], sought: NDArray[np.uint8], order: list[int]) -> None:
        """The same for the few places that are left, of which the bytes `order` have not been looked at."""
        for at in order:
            left = left[self._text[left + at] == sought[at]]
        found[np.searchsorted(self._starts, left, side="right") - 1] = True

    def _like(self, wanted: str) -> Mask:
        """By a regular expression for each name, which takes long: the last answers are kept."""
        if wanted not in self._patterns:
            search = pattern(wanted).search
            names = self._text.tobytes().split(_BETWEEN)[:-1]
            texts = (name.decode("utf-8", "surrogatepass") for name in names)
            self._patterns[wanted] = np.fromiter((search(text) is not None for text in texts), np.bool_, len(names))
        self._patterns.move_to_end(wanted)
        if len(self._patterns) > _REMEMBERED:
            self._patterns.popitem(last=False)
        return self._patterns[wanted]
