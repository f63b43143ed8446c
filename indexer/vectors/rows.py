"""Vectors in float16 by photo id, in main memory, and the exact search over them; FAISS does the arithmetic.

It knows no lock, no file and no GPU: index.py owns those. The shapes: n rows, d dimensions, q queries.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexer.errors import FaissMissingError, PicsiftError

Ids: TypeAlias = NDArray[np.int64]
Half: TypeAlias = NDArray[np.float16]
Floats: TypeAlias = NDArray[np.float32]
Found: TypeAlias = tuple[Ids, Floats]  # of one query: ids and scores, best first, ties by id

_WAITING = "OMP_WAIT_POLICY"

# Up to here a search within a set copies its rows together: 0.03 ms for 300 rows, where a selector takes 0.5 ms
# to walk past 300,000. At 1 % of 300,000 the selector is the quicker (1.3 ms against 3.2 ms).
FEW_ROWS = 2048
_TIE_SLACK = 8
# Multiply-adds that one thread does in a millisecond or two; for less work no second one is woken.
_FEW_PRODUCTS = 8_000_000


@functools.cache
def load_faiss() -> Any:
    """Import FAISS at its first use and not before.

    Raises:
        FaissMissingError: if none is installed.
        PicsiftError: if the one installed cannot be loaded (for instance for want of a CUDA library).
    """
    try:
        # SWIG's types raise DeprecationWarnings from Python 3.12 on.
        with _patient_threads(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import faiss
    except ModuleNotFoundError as error:
        if error.name == "faiss":
            raise FaissMissingError from error
        raise _broken(error) from error
    except ImportError as error:
        raise _broken(error) from error
    return faiss


@contextmanager
def _patient_threads() -> Iterator[None]:
    """Have FAISS's threads sleep between two searches.

    OpenMP reads this once, as it is loaded. By default a thread that is done burns its core for another 10 ms, in case
    that there is more to do: in a server, whose searches take 1 ms, that core is somebody else's.
    """
    if _WAITING in os.environ:
        yield
        return
    os.environ[_WAITING] = "passive"
    try:
        yield
    finally:
        os.environ.pop(_WAITING, None)


def _broken(error: ImportError) -> PicsiftError:
    return PicsiftError(
        f"FAISS is installed and cannot be loaded: {error}. Reinstall it: 'picsift[cpu]' or 'picsift[gpu]'."
    )


class IdTable:
    """Which id stands at which row, both ways."""

    def __init__(self) -> None:
        self.by_row: Ids = np.empty(0, np.int64)
        self._order: Ids | None = None

    def assign(self, by_row: Ids) -> None:
        """Take these ids, row by row."""
        self.by_row = by_row
        self._order = None

    def rows(self, ids: Ids) -> Ids:
        """Return the row of each id, -1 for one that is not there."""
        if self._order is None:  # timsort: linear where ids grow with the rows, as they nearly always do
            self._order = np.argsort(self.by_row, kind="stable")
        if not len(self._order):
            return np.full(len(ids), -1, np.int64)
        at = np.searchsorted(self.by_row, ids, sorter=self._order)
        rows = self._order[np.minimum(at, len(self._order) - 1)]
        return np.where(self.by_row[rows] == ids, rows, -1)

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return self.by_row.nbytes + (0 if self._order is None else self._order.nbytes)


class VectorRows:
    """Float16 rows by photo id, searched exactly by inner product."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.table = IdTable()
        self._store = self._new_store()

    def _new_store(self) -> Any:
        faiss = load_faiss()
        return faiss.IndexScalarQuantizer(self.dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)

    def __len__(self) -> int:
        return len(self.table.by_row)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that rows and ids take."""
        return len(self) * self.dim * 2 + self.table.nbytes

    def halves(self) -> Half:
        """Return the rows (n, d), a view of FAISS's own memory that the next change invalidates."""
        if not self._store.ntotal:
            return np.empty((0, self.dim), np.float16)
        raw = load_faiss().rev_swig_ptr(self._store.codes.data(), self._store.ntotal * self.dim * 2)
        halves: Half = raw.view(np.float16).reshape(-1, self.dim)
        return halves

    def allocate(self, count: int) -> Half:
        """Make room for `count` rows in an empty store, to be filled by the caller, who then sets the ids."""
        self._store.codes.resize(count * self.dim * 2)
        self._store.ntotal = count
        return self.halves()

    def put(self, ids: Ids, halves: Half) -> None:
        """Write one row per id: in place where the id is there, at the end where it is new."""
        at = self.table.rows(ids)
        known = at >= 0
        if known.any():
            self.halves()[at[known]] = halves[known]
        if not known.all():
            # numpy has rounded to IEEE half already, and half is what QT_fp16 stores: the bytes go in as they are
            self._store.add_sa_codes(np.ascontiguousarray(halves[~known]).view(np.uint8))
            self.table.assign(np.concatenate([self.table.by_row, ids[~known]]))

    def remove(self, ids: Ids) -> int:
        """Drop these ids; those that are not there are passed over. Returns how many were dropped."""
        at = self.table.rows(np.unique(ids))
        at = at[at >= 0]
        if len(at):
            self._store.remove_ids(at)  # moves the later rows up and keeps their order
            self.table.assign(np.delete(self.table.by_row, at))
        return len(at)

    def rows_within(self, allowed: Ids) -> Ids | None:
        """Return the ascending rows of the allowed ids, or None where that is every row."""
        if len(allowed) * 8 < len(self):
            at = self.table.rows(np.unique(allowed))
            rows = np.sort(at[at >= 0])
        else:
            rows = np.flatnonzero(np.isin(self.table.by_row, allowed))
        return None if len(rows) == len(self) else rows

    def search(self, queries: Floats, k: int, within: Ids | None = None) -> list[Found]:
        """Find the k best rows of each query, exactly.

        Args:
            queries: (q, d).
            k: how many at most; fewer come back where there are fewer.
            within: ascending rows to look at, None for all.
        """
        store, places, selector = self._store, self.table.by_row, None
        if within is not None:
            if len(within) <= FEW_ROWS:
                store, places = self._copy_of(within), places[within]
            else:
                selector = self._selector(within)
        total = store.ntotal if selector is None or within is None else len(within)
        k = min(k, total)
        if k <= 0 or not len(queries):
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
        return _search_store(store, places, queries, k, total, selector)

    def _copy_of(self, rows: Ids) -> Any:
        store = self._new_store()
        if len(rows):
            store.add_sa_codes(self.halves()[rows].view(np.uint8))
        return store

    def _selector(self, rows: Ids) -> Any:
        faiss = load_faiss()
        mask = np.zeros(len(self), np.bool_)
        mask[rows] = True
        bitmap = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        return faiss.SearchParameters(sel=bitmap)


def _search_store(store: Any, places: Ids, queries: Floats, k: int, total: int, selector: Any) -> list[Found]:
    fetch = min(total, k + _TIE_SLACK)
    found = []
    with _threads_for(len(queries) * total * store.d):
        scores, rows = store.search(queries, fetch, params=selector)
        for query in range(len(queries)):
            got, at, width = scores[query], rows[query], fetch
            while width < total and got[-1] == got[k - 1]:  # a tie runs on past the fetched: the lowest ids may too
                width = min(total, width * 4)
                wider, wider_rows = store.search(queries[query : query + 1], width, params=selector)
                got, at = wider[0], wider_rows[0]
            found.append(best(places[at], got, k))
    return found


@contextmanager
def _threads_for(products: int) -> Iterator[None]:
    """Within it FAISS uses one thread for few multiply-adds, else as many as it does anyway."""
    faiss, few = load_faiss(), products <= _FEW_PRODUCTS
    usual = faiss.omp_get_max_threads()  # of the thread that calls
    if few:
        faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        if few:
            faiss.omp_set_num_threads(usual)


def best(ids: Ids, scores: Floats, k: int) -> Found:
    """Order by score, then by id, and cut at k."""
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order]
