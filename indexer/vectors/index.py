"""The search index: vectors by photo id, exact inner product, on the CPU or through a GPU, saved and loaded whole.

It is a cache of the catalog and never the truth: what is wrong on disk makes it empty and says so in `problem`, and
repair.py fills it again. The shapes: n rows, d dimensions, q queries.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from indexer.vectors import file as vector_file
from indexer.vectors.gpu_mirror import GpuMirror, first_line, open_mirror
from indexer.vectors.rows import Half, IdMask, VectorRows, integers
from indexer.vectors.scanning import Floats, Found, Ids

logger = logging.getLogger(__name__)

# Rounding to half moves a row's length by at most 2**-11 of it; the rest is room for what was stored before: a little
# more than the catalog allows, so that sums in another order refuse nothing that it holds.
_LENGTH_TOLERANCE = 6e-3


class VectorIndex:
    """Vectors by photo id. Threads may search while another adds, removes or saves: each sees a whole state."""

    kind = "flat-fp16"

    def __init__(self, folder: Path, *, dim: int, fingerprint: str, mirror: GpuMirror | None = None) -> None:
        """Make an empty index that saves to `folder`; `open` also reads what is there."""
        self.dim = dim
        self.fingerprint = fingerprint
        self.problem: str | None = None
        self.generation = 0  # of the catalog, that these vectors stand for
        self.token = ""  # of that generation
        self._folder = folder
        self._rows = VectorRows(dim)
        self._mirror = mirror
        self._changing = threading.Lock()  # one change or save at a time; taken before _looking
        self._looking = threading.Lock()  # held by a search, and by a change only while it swaps

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        dim: int,
        fingerprint: str,
        device: str = "auto",
        mirror: Callable[[int, str], GpuMirror | None] = open_mirror,
    ) -> VectorIndex:
        """Read the index in `folder`, or give an empty one of generation 0 whose `problem` says why.

        Args:
            folder: that `save` writes to; one for each model.
            dim: of the model's embeddings.
            fingerprint: of the model.
            device: "auto", "cpu", "cuda" or "cuda:N".
            mirror: takes dim and device and gives the GPU's copy, or None.

        Raises:
            FaissMissingError: if no FAISS is installed.
        """
        index = cls(folder, dim=dim, fingerprint=fingerprint)
        try:
            ids, index.generation, index.token = vector_file.load(
                folder, dim=dim, fingerprint=fingerprint, allocate=index._rows.allocate
            )
            index._rows.table.assign(ids)
        except vector_file.UnusableFileError as error:
            index._rows = VectorRows(dim)
            index.problem = str(error)
        index._mirror = mirror(dim, device)
        index._follow(lambda copy: copy.load(index._rows.table.by_row, index._rows.halves()))
        return index

    def __len__(self) -> int:
        return len(self._rows)

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
            return np.sort(self._rows.table.by_row)

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
            rows = np.unique(np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64))
            return np.array(self._rows.halves()[rows])

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors; one whose id is there takes the place of the old.

        Args:
            ids: (n,) integers, each once, not negative.
            vectors: (n, d) of unit length; stored as float16.

        Raises:
            ValueError: for anything else; the index is then as it was.
        """
        checked, halves = self._checked(ids, vectors)
        with self._changing, self._looking:
            self._rows.put(checked, halves)
            self._follow(lambda copy: copy.put(checked, halves))

    def remove(self, ids: ArrayLike) -> int:
        """Remove ids; one that is not there is passed over. Returns how many were removed."""
        checked = integers(ids)
        with self._changing, self._looking:
            removed = self._rows.remove(checked)
            self._follow(lambda copy: copy.remove(checked))
        return removed

    def replace_all(self, batches: Iterable[tuple[Ids, Half]]) -> None:
        """Take these vectors instead of all that are there, which answer until the last batch has been read."""
        with self._changing:
            rows = VectorRows(self.dim)
            for ids, vectors in batches:
                rows.put(*self._checked(ids, vectors))
            with self._looking:
                self._rows = rows
                self._follow(lambda copy: copy.load(rows.table.by_row, rows.halves()))
            self.problem = None

    def save(self, generation: int) -> None:
        """Write the index to its folder; a kill at any instant leaves the old one or the new one.

        Args:
            generation: of the catalog, that these vectors stand for.

        Raises:
            LibraryError: if it cannot be written; the old one is still there.
        """
        with self._changing:  # a search may read the same rows meanwhile
            rows = self._rows
            vector_file.save(
                self._folder,
                rows.table.by_row,
                rows.halves(),
                fingerprint=self.fingerprint,
                generation=generation,
                token=self.token,
            )
            self.generation = generation
            self.problem = None

    def search(self, queries: ArrayLike, k: int, allowed: Ids | IdMask | None = None) -> list[Found]:
        """Find the k nearest vectors of each query, exactly, among the allowed ids.

        Args:
            queries: (q, d), or (d,) for one.
            k: how many at most.
            allowed: the ids to choose from, None for all; ids that are not in the index do no harm.

        Returns:
            For each query ids and scores, best first, ties by id: fewer than k where there are fewer, never padded.

        Raises:
            ValueError: if the queries are not (q, d) finite numbers, or k is negative.
        """
        wanted = self._checked_queries(queries)
        if k < 0:
            raise ValueError(f"k must not be negative, and is {k}")
        with self._looking:
            within = None if allowed is None else self._rows.rows_within(allowed)
            found: list[Found] = []
            self._follow(lambda copy: found.extend(copy.search(self._rows, wanted, k, within)))
            return self._rows.search(wanted, k, within) if self._mirror is None else found

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

    def _checked(self, ids: ArrayLike, vectors: ArrayLike) -> tuple[Ids, Half]:
        checked = integers(ids)
        rows = _floats(vectors, "vectors")
        if rows.ndim != 2 or rows.shape != (len(checked), self.dim):
            if rows.size or len(checked):
                raise ValueError(f"vectors must have the shape ({len(checked)}, {self.dim}), and have {rows.shape}")
            rows = rows.reshape(0, self.dim)
        if len(checked) and checked.min() < 0:
            raise ValueError(f"an id must not be negative, and one is {checked.min()}")
        if len(np.unique(checked)) != len(checked):
            raise ValueError("an id stands twice among the ids to add")
        lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
        wrong = ~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)  # a NaN is wrong too
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(f"vectors must have unit length, and that of id {checked[at]} has {lengths[at]}")
        return checked, rows.astype(np.float16)

    def _checked_queries(self, queries: ArrayLike) -> Floats:
        checked = np.atleast_2d(_floats(queries, "queries"))
        if checked.shape == (1, 0):
            checked = checked.reshape(0, self.dim)
        if checked.ndim != 2 or checked.shape[1] != self.dim:
            raise ValueError(f"queries must have the shape (q, {self.dim}), and have {checked.shape}")
        if not np.isfinite(checked).all():
            raise ValueError("queries must be finite, and hold NaN or infinity")
        return np.ascontiguousarray(checked)


def _floats(numbers: ArrayLike, name: str) -> Floats:
    try:
        return np.asarray(numbers, np.float32)
    except (TypeError, ValueError) as error:  # numpy's word for ragged rows: inhomogeneous shape
        raise ValueError(f"{name} must be rows of numbers of one length: {error}") from error
