"""Rows that threads search and read while another changes them: what an index holds, its locks and its copy on a GPU.

It knows no file and no catalog. The shapes: n rows, d dimensions.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from indexer.vectors.gpu_mirror import GpuMirror, first_line
from indexer.vectors.near_lists import NearLists
from indexer.vectors.rows import Half, VectorRows, integers
from indexer.vectors.scanning import Ids

logger = logging.getLogger(__name__)


class HeldRows:
    """Vectors by photo id, of which every reader sees a whole state."""

    def __init__(self, dim: int, mirror: GpuMirror | None, exact_up_to: int) -> None:
        """Hold nothing yet."""
        self.dim = dim
        self._rows = VectorRows(dim)
        self._mirror = mirror
        self._exact_up_to = exact_up_to
        self._changed: list[Ids] | None = None  # since a copy of the rows was begun
        self._changing = threading.Lock()  # one change or save at a time; taken before _looking
        self._looking = threading.Lock()  # held by a search, and by a change only while it swaps

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def lists(self) -> NearLists | None:
        """The lists that a search looks into; None where it looks at all vectors."""
        large, lists = len(self) > self._exact_up_to and self._mirror is None, self._rows.lists
        return None if lists is None or lists.are_thin or not large else lists

    @property
    def kind(self) -> str:
        """How it searches: "flat-fp16", or "ivf-fp16" in lists."""
        return "flat-fp16" if self.lists is None else "ivf-fp16"

    @property
    def device(self) -> str:
        """Where the search runs: "cpu" or "cuda:0"."""
        return "cpu" if self._mirror is None else self._mirror.device

    @property
    def nbytes(self) -> int:
        """Bytes of main memory that vectors and ids take; a GPU holds the vectors once more."""
        return self._rows.nbytes

    def ids(self) -> Ids:
        """Return all ids, ascending."""
        with self._looking:
            ids = self._rows.table.by_row
            is_ascending = bool(np.all(ids[1:] > ids[:-1]))  # as nearly always; to sort them takes twenty times as long
            return ids.copy() if is_ascending else np.sort(ids)

    def vector(self, photo_id: int) -> Half:
        """Return one vector (d,).

        Raises:
            KeyError: if the id is not there.
        """
        vector: Half = self.vectors([photo_id])[0]
        if not vector.any():
            raise KeyError(f"photo {photo_id} is not in the search index")
        return vector

    def vectors(self, ids: ArrayLike) -> Half:
        """Return the vectors (n, d) of ids (n,); of one that is not there zeros."""
        with self._looking:
            rows = self._rows.table.rows(integers(ids))
            found = np.zeros((len(rows), self.dim), np.float16)
            found[rows >= 0] = self._rows.halves()[rows[rows >= 0]]
            return found

    def sample(self, most: int) -> Half:
        """Return at most so many vectors (n, d), spread evenly over the rows."""
        with self._looking:
            rows = np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64)  # ascending
            return np.array(self._rows.halves()[rows[np.diff(rows, prepend=-1) > 0]])

    def begin_copy(self) -> Ids:
        """Return the ids of all rows, of which somebody makes a copy; what changes from now on is noted."""
        with self._changing:
            self._changed = []
            return self._rows.table.by_row

    def end_copy(self) -> None:
        """Forget a copy that was begun and will not be adopted."""
        with self._changing:
            self._changed = None

    def adopt(self, rows: VectorRows) -> bool:
        """Take a copy of the rows, in lists, instead of the rows, with all that changed since; False: it is too old."""
        with self._changing:
            if self._changed is None:
                return False
            changed = np.unique(np.concatenate([*self._changed, np.empty(0, np.int64)]))
            self._changed = None
            rows.remove(changed)
            at = self._rows.table.rows(changed)
            rows.put(changed[at >= 0], self._rows.halves()[at[at >= 0]])
            with self._looking:
                self._rows = rows
            return True

    def _note(self, ids: Ids) -> None:
        if self._changed is not None:
            self._changed.append(ids)

    def _follow(self, step: Callable[[GpuMirror], Any]) -> None:
        """Do one step on the GPU; if it fails, warn and go on without it."""
        if self._mirror is None:
            return
        try:
            step(self._mirror)
            if self._mirror.worn:
                self._mirror.load(self._rows.table.by_row, self._rows.halves())
        except Exception as error:  # out of GPU memory, a lost device: the CPU's rows are whole
            logger.warning("%s stopped searching, the CPU does instead: %s", self._mirror.device, first_line(error))
            self._mirror = None
