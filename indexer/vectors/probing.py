"""The search in the lists that lie nearest to a query, with the very scores of the exact one.

It knows no filter: a search with one is exact. The shapes: n rows, d dimensions, q queries.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.near_lists import NearLists
from indexer.vectors.scanning import Floats, Found, Ids, best

_TIE_SLACK = 8
_PLACE = 0xFFFFFFFF  # in a label, whose upper half is the number of a range


def search_lists(store: Any, places: Ids, lists: NearLists, queries: Floats, k: int) -> list[Found] | None:
    """The k best rows of each query (q, d) among those of the nearest lists.

    Args:
        store: FAISS's float16 rows, in the order of the lists.
        places: (n,) the id of each row.
        lists: of these rows.
        queries: (q, d).
        k: how many at most; as many come back as there are.

    Returns:
        None where all rows have to be looked at: for that many hits it was not measured, or is not worth while, how
        many lists hold them, or these hold fewer than there are.
    """
    k = min(k, len(places))
    probes = lists.probes_for(k)
    if not probes or k < 1:
        return None
    probe = _Probe(store, places)
    if len(queries) < 2:
        found = [probe.best(query, k, *lists.choose(query, probes)) for query in queries]
    else:
        from concurrent.futures import ThreadPoolExecutor  # by queries that come together

        chosen = [lists.choose(query, probes) for query in queries]
        with ThreadPoolExecutor(min(len(queries), load_faiss().omp_get_max_threads())) as threads:
            found = list(threads.map(lambda one: probe.best(one[0], k, *one[1]), zip(queries, chosen, strict=True)))
    return found if all(len(ids) == k for ids, _ in found) else None


class _Probe:
    """What the queries of one search have in common."""

    def __init__(self, store: Any, places: Ids) -> None:
        codes = load_faiss().rev_swig_ptr(store.codes.data(), store.ntotal * store.code_size)
        self._store, self._places, self._codes = store, places, codes.reshape(store.ntotal, -1)

    def best(self, query: Floats, k: int, ranges: tuple[Ids, Ids], strays: Ids) -> Found:
        """The k best of a query (d,) in rows `ranges[0]` to `ranges[1]`, (m,) each, and among strays (s,)."""
        fetch = k + _TIE_SLACK
        while True:
            scores, rows = self._fetched(query, fetch, ranges, strays)
            order = np.argsort(-scores, kind="stable")
            scores, rows = scores[order], rows[order]
            if len(rows) < fetch or scores[fetch - 1] != scores[k - 1]:
                return best(self._places[rows], scores, k)
            fetch *= 4  # a tie runs on past the fetched: the lowest ids may too

    def _fetched(self, query: Floats, fetch: int, ranges: tuple[Ids, Ids], strays: Ids) -> tuple[Floats, Ids]:
        """The scores and rows of at most `fetch`, in any order. A call a list: what each costs in Python counts."""
        faiss, store = load_faiss(), self._store
        pointer = faiss.swig_ptr
        scanner = store.sq.select_InvertedListScanner(store.metric_type, None, True, None)
        scanner.set_query(pointer(query))
        scores, labels = np.full(fetch, -np.inf, np.float32), np.full(fetch, -1, np.int64)  # a heap, empty
        heap_scores, heap_labels, scan, codes = pointer(scores), pointer(labels), scanner.scan_codes, self._codes
        for number, (start, end) in enumerate(zip(ranges[0].tolist(), ranges[1].tolist(), strict=True)):
            if end > start:  # a label is the number and the place in the range, which costs less than labels of rows
                scanner.set_list(number, 0.0)
                scan(end - start, pointer(codes[start:end]), None, heap_scores, heap_labels, fetch)
        found = labels >= 0
        scores, labels = scores[found], labels[found]
        rows = ranges[0][labels >> 32] + (labels & _PLACE)
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
