"""The search in the lists that lie nearest to a query, with the very scores of the exact one.

The shapes: n rows, d dimensions, q queries.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.near_lists import NearLists
from indexer.vectors.scanning import Floats, Found, Ids, best

_TIE_SLACK = 8
_DENSE = 0.25  # share of the rows from which a filter is applied after the search: a selector takes longer
_DENSE_SLACK = 64
_PLACE = 0xFFFFFFFF  # in a label, whose upper half is the number of a range


def search_lists(
    store: Any, places: Ids, lists: NearLists, queries: Floats, k: int, within: Ids | None
) -> list[Found] | None:
    """The k best rows of each query (q, d) among those of the nearest lists.

    Args:
        store: FAISS's float16 rows, in the order of the lists.
        places: (n,) the id of each row.
        lists: of these rows.
        queries: (q, d).
        k: how many at most; as many come back as there are.
        within: ascending rows to look at, None for all.

    Returns:
        None where all rows have to be looked at: for that many hits it was not measured, or is not worth while, how
        many lists hold them, or these hold fewer than there are.
    """
    total = len(places) if within is None else len(within)
    k = min(k, total)
    probes = lists.probes_for(k)
    if not probes or k < 1:
        return None
    chosen = [looked_at for query in queries if (looked_at := lists.choose(query, probes, within)) is not None]
    if len(chosen) < len(queries):
        return None
    probe = _Probe(store, places, within)
    if len(queries) < 2:
        found = [probe.best(query, k, *looked_at) for query, looked_at in zip(queries, chosen, strict=True)]
    else:
        from concurrent.futures import ThreadPoolExecutor  # by queries that come together

        with ThreadPoolExecutor(min(len(queries), load_faiss().omp_get_max_threads())) as threads:
            found = list(threads.map(lambda one: probe.best(one[0], k, *one[1]), zip(queries, chosen, strict=True)))
    return found if all(len(ids) == k for ids, _ in found) else None


class _Probe:
    """What the queries of one search have in common."""

    def __init__(self, store: Any, places: Ids, within: Ids | None) -> None:
        faiss = load_faiss()
        self._store, self._places = store, places
        self._codes = faiss.rev_swig_ptr(store.codes.data(), store.ntotal * store.code_size).reshape(store.ntotal, -1)
        self._mask: NDArray[np.bool_] | None = None
        self._selector = None
        if within is not None:
            self._mask = np.zeros(len(places), np.bool_)
            self._mask[within] = True
            self._share = len(within) / len(places)
            self._selector = faiss.IDSelectorBitmap(np.packbits(self._mask, bitorder="little"))

    def best(self, query: Floats, k: int, ranges: tuple[Ids, Ids], strays: Ids) -> Found:
        """The k best of a query (d,) in rows `ranges[0]` to `ranges[1]`, (m,) each, and among strays (s,)."""
        if self._mask is not None and self._share >= _DENSE:
            scores, rows = self._passing(query, k, ranges, strays)
            if len(rows) >= k:
                return best(self._places[rows], scores, k)
        fetch = k + _TIE_SLACK
        while True:
            scores, rows = self._fetched(query, fetch, ranges, strays, self._selector)
            order = np.argsort(-scores, kind="stable")
            scores, rows = scores[order], rows[order]
            if len(rows) < fetch or scores[fetch - 1] != scores[k - 1]:
                return best(self._places[rows], scores, k)
            fetch *= 4  # a tie runs on past the fetched: the lowest ids may too

    def _passing(self, query: Floats, k: int, ranges: tuple[Ids, Ids], strays: Ids) -> tuple[Floats, Ids]:
        """The best that a dense filter lets pass, down to where it is certain that none is missing: k or fewer."""
        fetch = int(2 * k / self._share) + _DENSE_SLACK
        scores, rows = self._fetched(query, fetch, ranges, strays, None)
        least = np.partition(scores, -fetch)[-fetch] if len(scores) >= fetch else np.float32(-np.inf)
        assert self._mask is not None
        kept = self._mask[rows] & (scores > least)
        return scores[kept], rows[kept]

    def _fetched(
        self, query: Floats, fetch: int, ranges: tuple[Ids, Ids], strays: Ids, selector: Any
    ) -> tuple[Floats, Ids]:
        """The scores and rows of at most `fetch`, in any order. A call a list: what each costs in Python counts."""
        faiss, store = load_faiss(), self._store
        is_plain, pointer = selector is None, faiss.swig_ptr
        scanner = store.sq.select_InvertedListScanner(store.metric_type, None, is_plain, selector)
        scanner.set_query(pointer(query))
        scores, labels = np.full(fetch, -np.inf, np.float32), np.full(fetch, -1, np.int64)  # a heap, empty
        heap_scores, heap_labels, scan, codes = pointer(scores), pointer(labels), scanner.scan_codes, self._codes
        for number, (start, end) in enumerate(zip(ranges[0].tolist(), ranges[1].tolist(), strict=True)):
            if end == start:
                continue
            if is_plain:  # a label is the number and the place in the range, which costs less than labels of rows
                scanner.set_list(number, 0.0)
                scan(end - start, pointer(codes[start:end]), None, heap_scores, heap_labels, fetch)
            else:
                rows = np.arange(start, end)
                scan(end - start, pointer(codes[start:end]), pointer(rows), heap_scores, heap_labels, fetch)
        found = labels >= 0
        scores, labels = scores[found], labels[found]
        rows = ranges[0][labels >> 32] + (labels & _PLACE) if is_plain else labels
        if not len(strays):
            return scores, rows
        others, at = _scored(store, query, codes[strays])
        return np.concatenate([scores, others]), np.concatenate([rows, strays[at]])


def _scored(store: Any, query: Floats, codes: NDArray[np.uint8]) -> tuple[Floats, Ids]:
    """The scores of all rows (m, bytes) that were gathered, and their places, in any order."""
    faiss = load_faiss()
    scanner = store.sq.select_InvertedListScanner(store.metric_type, None, False, None)
    scanner.set_query(faiss.swig_ptr(query))
    scores, places = np.full(len(codes), -np.inf, np.float32), np.full(len(codes), -1, np.int64)
    at = np.arange(len(codes))
    pointers = map(faiss.swig_ptr, (codes, at, scores, places))
    scanner.scan_codes(len(codes), *pointers, len(codes))
    return scores, places
