"""The search index: vectors by photo id, on the CPU or through a GPU, saved and loaded whole.

It is a cache of the catalog and never the truth: what is wrong on disk makes it empty and says so in `problem`, and
repair.py fills it again. A small one is searched exactly, and so is one on a GPU; a large one in the lists nearest to
the query, once somebody has had it trained. The shapes: n rows, d dimensions, q queries.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from indexer.vectors import file as vector_file
from indexer.vectors.checks import checked_queries, checked_rows
from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.gpu_mirror import GpuMirror, open_mirror
from indexer.vectors.held_rows import HeldRows
from indexer.vectors.rows import Half, IdMask, VectorRows, integers
from indexer.vectors.scanning import Found, Ids, at_least
from indexer.vectors.training import Training

# Vectors up to which all are looked at, which takes 15 ms for 512 dimensions.
EXACT_UP_TO = 150_000


class VectorIndex(HeldRows):
    """Vectors by photo id. Threads may search while another adds, removes or saves: each sees a whole state."""

    def __init__(
        self,
        folder: Path,
        *,
        dim: int,
        fingerprint: str,
        mirror: GpuMirror | None = None,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        """Make an empty index that saves to `folder`; `open` also reads what is there."""
        super().__init__(dim, mirror, exact_up_to)
        self.fingerprint = fingerprint
        self.problem: str | None = None
        self.generation = 0  # of the catalog, that these vectors stand for
        self.token = ""  # of that generation
        self._folder = folder
        self._training = Training(self)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        dim: int,
        fingerprint: str,
        device: str = "auto",
        mirror: Callable[[int, str], GpuMirror | None] = open_mirror,
        exact_up_to: int = EXACT_UP_TO,
        mapped: bool = False,
    ) -> VectorIndex:
        """Read the index in `folder`, or give an empty one of generation 0 whose `problem` says why.

        Args:
            folder: that `save` writes to; one for each model.
            dim: of the model's embeddings.
            fingerprint: of the model.
            device: "auto", "cpu", "cuda" or "cuda:N".
            mirror: takes dim and device and gives the GPU's copy, or None.
            exact_up_to: vectors up to which no lists are used.
            mapped: search them where they lie in the file, without a copy in memory, until the first change: for a
                process that ends soon. On Windows a save could not remove the file meanwhile, and they are read.

        Raises:
            FaissMissingError: if no FAISS is installed.
        """
        index = cls(folder, dim=dim, fingerprint=fingerprint, exact_up_to=exact_up_to)
        try:
            ids, index.generation, index.token = vector_file.load(
                folder,
                dim=dim,
                fingerprint=fingerprint,
                allocate=index._rows.allocate,
                hold=index._rows.hold if mapped and os.name == "posix" else None,
            )
            index._rows.table.assign(ids)
        except vector_file.UnusableFileError as error:
            index._rows = VectorRows(dim)
            index.problem = str(error)
        load_faiss()  # behind the file, which needs no Python while it is read
        index._mirror = mirror(dim, device)
        index._follow(lambda copy: copy.load(index._rows.table.by_row, index._rows.halves()))
        return index

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors; one whose id is there takes the place of the old.

        Args:
            ids: (n,) integers, each once, not negative.
            vectors: (n, d) of unit length; stored as float16.

        Raises:
            ValueError: for anything else; the index is then as it was.
        """
        checked, halves = checked_rows(ids, vectors, self.dim)
        with self._changing:
            nearest = self._rows.nearest(halves)  # which takes a while: no search shall wait for it
            with self._looking:
                self._rows.put(checked, halves, nearest)
                self._note(checked)
                self._follow(lambda copy: copy.put(checked, halves))

    def remove(self, ids: ArrayLike) -> int:
        """Remove ids; one that is not there is passed over. Returns how many were removed."""
        checked = integers(ids)
        with self._changing, self._looking:
            removed = self._rows.remove(checked)
            self._note(checked)
            self._follow(lambda copy: copy.remove(checked))
        return removed

    def replace_all(self, batches: Iterable[tuple[Ids, Half]]) -> None:
        """Take these vectors instead of all that are there, which answer until the last batch has been read."""
        with self._changing:
            rows = VectorRows(self.dim)
            for ids, vectors in batches:
                rows.put(*checked_rows(ids, vectors, self.dim))
            with self._looking:
                self._rows, self._changed = rows, None
                self._follow(lambda copy: copy.load(rows.table.by_row, rows.halves()))
            self.problem = None

    def tend(self) -> None:
        """Have lists trained, in the background, where there are none or they are worn, and the index is large."""
        lists = self._rows.lists
        if len(self) > self._exact_up_to and self._mirror is None and (lists is None or lists.are_worn):
            self._training.begin()

    def close(self, *, wait: bool = True) -> None:
        """End what runs in the background at its next step, and wait for that, at most 10 s."""
        self._training.end(wait=wait)

    def stand_for(self, generation: int, token: str) -> None:
        """Say which generation of the catalog these vectors stand for."""
        with self._changing:
            self.generation, self.token = generation, token

    def save(self, generation: int | None = None) -> None:
        """Write the index to its folder; a kill at any instant leaves the old one or the new one.

        Args:
            generation: of the catalog, that these vectors stand for; None: as it was said last, and nothing is written
                where another process has saved a later one.

        Raises:
            LibraryError: if it cannot be written; the old one is still there.
        """
        with self._changing:  # a search may read the same rows meanwhile
            number = self.generation if generation is None else generation
            is_saved = vector_file.save(
                self._folder,
                self._rows.table.by_row,  # in whatever order: it means nothing on disk
                self._rows.halves(),
                fingerprint=self.fingerprint,
                generation=number,
                token=self.token,
                unless=lambda: generation is None and self._is_outrun(),
            )
            if is_saved:
                self.generation = number
                self.problem = None

    def search(
        self,
        queries: ArrayLike,
        k: int,
        allowed: Ids | IdMask | None = None,
        *,
        exact: bool = False,
        least: Sequence[float] | None = None,
    ) -> list[Found]:
        """Find the k nearest vectors of each query among the allowed ids; of all ids in `lists`, 0.99 of them.

        Args:
            queries: (q, d), or (d,) for one.
            k: how many at most.
            allowed: the ids to choose from, exactly, None for all; ids that are not in the index do no harm.
            exact: look at all vectors though there are lists, as is done for `allowed` anyway.
            least: (q,) of each query the score that its hits have to reach; None: any. Few that reach it are found
                quicker than as many of all.

        Returns:
            For each query ids and scores, best first, ties by id: fewer than k where there are fewer, never padded.

        Raises:
            ValueError: if the queries are not (q, d) finite numbers, or k is negative.
        """
        wanted = checked_queries(queries, self.dim)
        floors = None if least is None else np.array(least, np.float32)
        if k < 0:
            raise ValueError(f"k must not be negative, and is {k}")
        with self._looking:
            within = None if allowed is None else self._rows.rows_within(allowed)
            found: list[Found] = []
            self._follow(lambda copy: found.extend(copy.search(self._rows, wanted, k, within)))
            exact = exact or allowed is not None or self.lists is None
            if self._mirror is None:
                found = self._rows.search(wanted, k, within, exact=exact, least=floors)
        return found if floors is None else [at_least(*one, floor) for one, floor in zip(found, floors, strict=True)]

    def _is_outrun(self) -> bool:
        try:
            saved = vector_file.read_pointer(self._folder)
        except (vector_file.UnusableFileError, OSError):
            return False
        return saved.fingerprint == self.fingerprint and saved.generation > self.generation
