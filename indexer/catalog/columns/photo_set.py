"""A set of photos by their ids, as a mark for each id there may be. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """Photos, at a byte for each id up to the highest one.

    Attributes:
        marks: (m,): whether the photo of an id is in the set; the last is False and stands for all ids from there on.
    """

    marks: NDArray[np.bool_]

    @classmethod
    def of(cls, ids: Ids) -> PhotoSet:
        """The photos of these ids (n,), which are not negative."""
        marks = np.zeros(int(ids.max(initial=-1)) + 2, np.bool_)
        marks[ids] = True
        return cls(marks)

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    @cached_property
    def _count(self) -> int:
        return int(np.count_nonzero(self.marks))

    def ids(self) -> Ids:
        """Their ids (n,), ascending."""
        return np.flatnonzero(self.marks)

    def without(self, ids: Ids) -> PhotoSet:
        """The same without these, which need not be in it."""
        marks = self.marks.copy()
        marks[ids[ids < len(marks)]] = False
        return PhotoSet(marks)

    def among(self, ids: Ids) -> Ids:
        """Those of these ids (n,) that are in the set."""
        return ids[self.holds(ids)]

    def holds(self, ids: Ids) -> NDArray[np.bool_]:
        """Of each of these ids (n,) whether it is in the set."""
        return self.marks[np.minimum(ids, len(self.marks) - 1)]
