"""Vectors in float16 by photo id, in main memory, and the search over them; FAISS does the arithmetic.

It knows no lock, no file and no GPU: index.py owns those. The shapes: n rows, d dimensions, q queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexer.vectors.blocks import search_all, search_some
from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.near_lists import NearLists, nearest_lists
from indexer.vectors.probing import search_lists
from indexer.vectors.scanning import Floats, Found, Ids, is_few

Half: TypeAlias = NDArray[np.float16]

_SPARE_OF = 20  # rows there is room for one more


@dataclass(frozen=True, eq=False)
class IdMask:
    """Ids as marks: an id is among them when the number in its low bits is marked.

    Attributes:
        marks: (m,), of which the last is False and stands for all numbers from there on.
        low_bits: how many bits of an id are its number.
    """

    marks: NDArray[np.bool_]
    low_bits: int = 63

    def among(self, ids: Ids) -> NDArray[np.bool_]:
        """Return which of these ids are marked."""
        return np.take(self.marks, ids & ((1 << self.low_bits) - 1), mode="clip")


class IdTable:
    """Which id stands at which row, both ways."""

    def __init__(self) -> None:
        self.by_row: Ids = np.empty(0, np.int64)
        self._order: Ids | None = None

    def assign(self, by_row: Ids) -> None:
        """Take these ids, row by row."""
        self.by_row = by_row
        self._order = None

    def append(self, ids: Ids) -> None:
        """Take new ids for the rows after the last."""
        if self._order is not None:
            by_id = np.argsort(ids, kind="stable")
            at = np.searchsorted(self.by_row, ids[by_id], sorter=self._order)
            self._order = np.insert(self._order, at, by_id + len(self.by_row))
        self.by_row = np.concatenate([self.by_row, ids])

    def delete(self, rows: Ids) -> None:
        """Drop ascending rows, over which the later ones move up."""
        if self._order is not None:
            kept = np.ones(len(self.by_row), np.bool_)
            kept[rows] = False
            self._order = (np.cumsum(kept) - 1)[self._order[kept[self._order]]]
        self.by_row = np.delete(self.by_row, rows)

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
    """Float16 rows by photo id, searched by inner product: all of them, or the lists nearest to the query.

    Attributes:
        dim: of the vectors.
        table: which id stands at which row.
        lists: that these rows stand in, once they have been trained; None before.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.lists: NearLists | None = None
        self.table = IdTable()
        self._held: Half | None = None  # the memory of the store's codes, where it is not the store's own

    @cached_property
    def _store(self) -> Any:
        return self._new_store()

    def _new_store(self) -> Any:
        faiss = load_faiss()
        return faiss.IndexScalarQuantizer(self.dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)

    def __len__(self) -> int:
        return len(self.table.by_row)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that rows and ids take."""
        return len(self) * self.dim * 2 + self.table.nbytes + (0 if self.lists is None else self.lists.nbytes)

    def halves(self) -> Half:
        """Return the rows (n, d), a view of the store's memory that the next change invalidates."""
        if self._held is not None:
            return self._held
        if not self._store.ntotal:
            return np.empty((0, self.dim), np.float16)
        raw = load_faiss().rev_swig_ptr(self._store.codes.data(), self._store.ntotal * self.dim * 2)
        halves: Half = raw.view(np.float16).reshape(-1, self.dim)
        return halves

    def allocate(self, count: int) -> Half:
        """Make room for `count` rows in an empty store, to be filled by the caller, who then sets the ids.

        There is room for a twentieth more, which is added without a move of all to where there is room for more.
        """
        self._store.codes.resize((count + count // _SPARE_OF) * self.dim * 2)
        self._store.codes.resize(count * self.dim * 2)
        self._store.ntotal = count
        return self.halves()

    def hold(self, halves: Half) -> None:
        """Search rows (n, d) where they lie, in an empty store: they are kept, and copied before the first change."""
        make_view = getattr(getattr(load_faiss(), "MaybeOwnedVectorUInt8", None), "create_view", None)
        if make_view is None:  # one whose memory is always its own
            self.allocate(len(halves))[:] = halves
            return
        raw = halves.reshape(-1).view(np.uint8)
        store = self._new_store()
        store.codes = make_view(load_faiss().swig_ptr(raw), raw.size, store.codes.owner)
        store.ntotal = len(halves)
        self._store, self._held = store, halves

    def _own(self) -> None:
        """Copy rows that are only held: FAISS ends the process where others are added to those, or removed."""
        if self._held is not None:
            held, self._held = self._held, None
            self._store = self._new_store()
            self.allocate(len(held))[:] = held

    def nearest(self, halves: Half) -> tuple[Ids, Floats] | None:
        """Return the nearest list of each vector (n, d) and the cosine with it; None where there are no lists."""
        return None if self.lists is None else nearest_lists(self.lists.centroids, halves)

    def put(self, ids: Ids, halves: Half, nearest: tuple[Ids, Floats] | None = None) -> None:
        """Write one row per id: in place where the id is there, at the end where it is new.

        Args:
            ids: (n,), each once.
            halves: (n, d).
            nearest: of these; None: it is worked out here.
        """
        self._own()
        at = self.table.rows(ids)
        known = at >= 0
        if known.any():
            self.halves()[at[known]] = halves[known]
        if not known.all():
            # numpy has rounded to IEEE half already, and half is what QT_fp16 stores: the bytes go in as they are
            self._store.add_sa_codes(np.ascontiguousarray(halves[~known]).view(np.uint8))
            at[~known] = len(self) + np.arange(np.count_nonzero(~known))
            self.table.append(ids[~known])
        if self.lists is not None:
            self.lists.put(at, nearest or nearest_lists(self.lists.centroids, halves))

    def remove(self, ids: Ids) -> int:
        """Drop these ids; those that are not there are passed over. Returns how many were dropped."""
        at = self.table.rows(np.unique(ids))
        at = np.sort(at[at >= 0])
        if len(at):
            self._own()
            self._store.remove_ids(at)  # moves the later rows up and keeps their order
            self.table.delete(at)
            if self.lists is not None:
                self.lists.remove(at)
        return len(at)

    def rows_within(self, allowed: Ids | IdMask) -> Ids | None:
        """Return the ascending rows of the allowed ids, or None where that is every row."""
        if isinstance(allowed, IdMask):
            rows = np.flatnonzero(allowed.among(self.table.by_row))
            return None if len(rows) == len(self) else rows
        allowed = integers(allowed)
        if len(allowed) * 8 < len(self):
            at = self.table.rows(np.unique(allowed))
            rows = np.sort(at[at >= 0])
        else:
            rows = np.flatnonzero(np.isin(self.table.by_row, allowed))
        return None if len(rows) == len(self) else rows

    def search(
        self,
        queries: Floats,
        k: int,
        within: Ids | None = None,
        *,
        exact: bool = True,
        least: Floats | None = None,
    ) -> list[Found]:
        """Find the k best rows of each query.

        Args:
            queries: (q, d).
            k: how many at most; fewer come back where there are fewer.
            within: ascending rows to look at, every one of them; None for all.
            exact: look at all, rather than in the lists nearest to the query where there are lists.
            least: (q,) scores: what scores less may be left out.
        """
        if within is None:
            found = None
            if not exact and self.lists is not None:
                found = search_lists(self._store, self.table.by_row, self.lists, queries, k)
            return search_all(self._store, self.table.by_row, queries, k, least) if found is None else found
        if is_few(len(within), len(self)):
            return search_all(self._copy_of(within), self.table.by_row[within], queries, k, least)
        return search_some(self._store, self.table.by_row, queries, k, within, least)

    def _copy_of(self, rows: Ids) -> Any:
        store = self._new_store()
        if len(rows):
            store.add_sa_codes(self.halves()[rows].view(np.uint8))
        return store


def integers(ids: ArrayLike) -> Ids:
    """Return ids as they are kept; raises ValueError where they are none."""
    array = np.asarray(ids)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"ids must be whole numbers in one row, and are {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)
