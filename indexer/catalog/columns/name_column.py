"""File names as one text of bytes, in which a part of a name is found for all photos at once. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from sys import getsizeof

import numpy as np
from numpy.typing import NDArray

from indexer.catalog.filters.names import by_letters, is_pattern, letter_pattern, pattern, same

_BETWEEN = b"\0"  # which no name holds
_REMEMBERED = 8  # answers
_CHUNK = 8192  # names that are looked at together: what is made on the way stays in the processor's cache
_SPARSE = 48  # bytes for each place that is left, from which single places are looked at rather than all

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


class NameColumn:
    """The names of n photos, in the form in which they are compared."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the names in the order of the photos."""
        names = list(names)
        parts = [same(name).encode("utf-8", "surrogatepass") for name in names]
        letters = ((at, by_letters(name)) for at, name in enumerate(names) if not name.isascii())
        self._by_letters = {at: name for at, name in letters if name is not None}
        self._text = np.frombuffer(_BETWEEN.join(parts) + _BETWEEN, np.uint8)
        lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        self._starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths + 1)[:-1]])[: len(parts)]
        self._common = np.bincount(self._text, minlength=256)
        self._answers: OrderedDict[str, Mask] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use, answers aside."""
        letters = sum(map(getsizeof, self._by_letters.values())) + getsizeof(self._by_letters)
        return self._text.nbytes + self._starts.nbytes + letters

    def matching(self, wanted: str) -> Mask:
        """Which names are meant (n,), as `names.matches` says it; the last answers are kept."""
        text = same(wanted)
        if text not in self._answers:
            self._answers[text] = self._like(wanted) if is_pattern(text) else self._holding(text)
        self._answers.move_to_end(text)
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return self._answers[text]

    def _holding(self, text: str) -> Mask:
        """Which names have a text in them."""
        found = np.zeros(len(self._starts), np.bool_)
        sought = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        if not len(sought):
            return ~found
        if 0 not in sought:
            order = np.argsort(self._common[sought], kind="stable").tolist()  # the rarest byte first
            for first in range(0, len(found), _CHUNK):
                starts = self._starts[first : first + _CHUNK]
                end = self._starts[first + _CHUNK] if first + _CHUNK < len(found) else len(self._text)
                _mark(found[first : first + _CHUNK], self._text[starts[0] : end], starts - starts[0], sought, order)
        return found

    def _like(self, wanted: str) -> Mask:
        """By a regular expression for each name, which takes long."""
        search = pattern(wanted).search
        names = self._text.tobytes().split(_BETWEEN)[: len(self._starts)]
        texts = (name.decode("utf-8", "surrogatepass") for name in names)
        found = np.fromiter((search(name) is not None for name in texts), np.bool_, len(names))
        search = letter_pattern(wanted).search
        found[[at for at, name in self._by_letters.items() if search(name) is not None]] = True
        return found


def _mark(found: Mask, text: Bytes, starts: NDArray[np.int64], sought: Bytes, order: list[int]) -> None:
    """Mark the names, of which a text holds one from each of the starts on, that hold the bytes sought."""
    places = len(text) - len(sought) + 1
    if places < 1:
        return
    holds = np.zeros(len(text), np.bool_)  # where those bytes begin, as far as they have been looked at
    np.equal(text[order[0] : order[0] + places], sought[order[0]], out=holds[:places])
    for done, at in enumerate(order[1:], 1):
        if np.count_nonzero(holds) * _SPARSE < places:
            left = np.flatnonzero(holds)
            for later in order[done:]:
                left = left[text[left + later] == sought[later]]
            found[np.searchsorted(starts, left, side="right") - 1] = True
            return
        holds[:places] &= text[at : at + places] == sought[at]
    np.logical_or.reduceat(holds, starts, out=found)
