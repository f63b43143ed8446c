"""Lists of near rows, trained on a library's own vectors by a thread in the background.

The thread works on a copy of the rows, in the order of the lists, and the index takes it over in one step: neither a
search nor a writer waits for it. Nothing is lost where it is ended or fails: the index searches on as it did. The
lists are kept in memory alone: an index that is opened has none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from indexer.memory import memory_left
from indexer.vectors.centroids import measured, spread, trained
from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.gpu_mirror import first_line
from indexer.vectors.near_lists import NearLists, nearest_lists
from indexer.vectors.rows import Half, VectorRows
from indexer.vectors.scanning import Ids

logger = logging.getLogger(__name__)

_CHUNK = 4096
_PATIENCE_S = 10.0
_AGAIN_S = 60.0  # from one look whether there is memory to the next


class Trained(Protocol):
    """The part of the index that this module works with."""

    dim: int

    @property
    def nbytes(self) -> int:
        """Bytes of main memory that it takes."""

    def begin_copy(self) -> Ids:
        """Return the ids of all rows, and note what changes from now on."""

    def vectors(self, ids: Ids) -> Half:
        """Return vectors; zeros for those that are gone."""

    def end_copy(self) -> None:
        """Note nothing any more."""

    def adopt(self, rows: VectorRows) -> bool:
        """Take over a copy."""


class StoppedError(Exception):
    """Nobody wants the lists any more."""


class Training:
    """At most one thread that trains an index's lists."""

    def __init__(self, index: Trained) -> None:
        """Train nothing yet."""
        self._index = index
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._failed = False  # once is enough: it would take as long to fail again
        self._not_before = 0.0  # on the monotonic clock: memory was short

    def begin(self) -> None:
        """Train, unless it is being done, has failed, or was ended, or memory was short a moment ago."""
        with self._lock:
            if self._ended.is_set() or self._failed or (self._thread is not None and self._thread.is_alive()):
                return
            if time.monotonic() < self._not_before:
                return
            self._thread = threading.Thread(target=self._run, name="index-lists", daemon=True)
            self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is being trained."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def end(self, *, wait: bool = True) -> None:
        """Stop, at the next step, and train no more."""
        with self._lock:
            self._ended.set()
        if wait:
            self.wait(_PATIENCE_S)

    def _run(self) -> None:
        try:
            if (left := memory_left()) is not None and left < 1.5 * self._index.nbytes:
                if not self._not_before:
                    logger.info("the search index waits to be ordered: that takes its memory once more, not free now")
                self._not_before = time.monotonic() + _AGAIN_S
                return
            load_faiss().omp_set_num_threads(1)  # of this thread: searches shall have the others
            rows = in_lists(self._index.begin_copy(), self._index.vectors, self._index.dim, self._check)
            self._check()
            if self._index.adopt(rows) and rows.lists is not None:
                logger.info("the search index is in %d lists, of which %s are looked into", *_said(rows.lists))
        except StoppedError:
            return
        except Exception as error:  # out of memory, say: the exact search goes on
            self._failed = True
            logger.warning(
                "the search index stays as it is, since its lists could not be trained: %s", first_line(error)
            )
        finally:
            self._index.end_copy()

    def _check(self) -> None:
        if self._ended.is_set():
            raise StoppedError


def in_lists(ids: Ids, vectors: Callable[[Ids], Half], dim: int, check: Callable[[], None]) -> VectorRows:
    """Return a copy of rows in the order of lists that are trained on them.

    Args:
        ids: (n,) of the rows, at least one.
        vectors: ids (m,) -> their vectors (m, d); zeros where one is gone.
        dim: d.
        check: called at each step; what it raises ends the training.
    """
    numbers = np.random.default_rng(len(ids))
    centroids = trained(ids, vectors, numbers, check)
    near, likeness = np.empty(len(ids), np.int32), 0.0
    for start in range(0, len(ids), _CHUNK):
        check()
        part = slice(start, start + _CHUNK)
        near[part], cosines = nearest_lists(centroids, vectors(ids[part]))
        likeness += float(cosines.sum())
    order = np.argsort(near, kind="stable")
    rows = VectorRows(dim)
    halves = rows.allocate(len(ids))
    rows.table.assign(ids[order])
    for start in range(0, len(ids), _CHUNK):
        check()
        halves[start : start + _CHUNK] = vectors(rows.table.by_row[start : start + _CHUNK])
    starts = np.searchsorted(near[order], np.arange(len(centroids) + 1)).astype(np.int64)
    queries = spread(halves, numbers)
    probes, recall = measured(rows, centroids, starts, queries, check)
    rows.lists = NearLists(centroids, starts, probes, recall, likeness / len(ids))
    return rows


def _said(lists: NearLists) -> tuple[int, str]:
    return len(lists.centroids), ", ".join(str(number or "all") for number in lists.probes)
