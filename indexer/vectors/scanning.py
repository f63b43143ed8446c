"""The exact search over all rows of one of FAISS's float16 stores, as FAISS does it, and the order of what is found.

It is the quickest for one query, and for few rows. The shapes: n rows, d dimensions, q queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexer.vectors.faiss_module import load_faiss

Ids: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]
Found: TypeAlias = tuple[Ids, Floats]  # of one query: ids and scores, best first, ties by id

# Measured with 300,000 and a million rows of 512 dimensions. A copy of few rows beats a walk past all others.
FEW_ROWS = 2048
FEW_OF = 100  # rows for each one that may be hit, from which they are few too
_TIE_SLACK = 8


def is_few(rows: int, total: int) -> bool:
    """Whether so many of all rows are copied together and searched alone."""
    return rows <= max(FEW_ROWS, total // FEW_OF)


def search_store(store: Any, places: Ids, queries: Floats, k: int) -> list[Found]:
    """The k best of all rows for each query (q, d); row i of the store has the id `places[i]`."""
    k, total = min(k, store.ntotal), store.ntotal
    if k <= 0 or not len(queries):
        return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
    fetch = min(total, k + _TIE_SLACK)
    found = []
    with _one_thread():
        scores, rows = store.search(queries, fetch)
        for query in range(len(queries)):
            got, at, width = scores[query], rows[query], fetch
            while width < total and got[-1] == got[k - 1]:  # a tie runs on past the fetched: the lowest ids may too
                width = min(total, width * 4)
                wider, wider_rows = store.search(queries[query : query + 1], width)
                got, at = wider[0], wider_rows[0]
            found.append(best(places[at], got, k))
    return found


def at_least(ids: Ids, scores: Floats, least: np.float32) -> Found:
    """Those of one query, best first, that score at least so much."""
    end = int(np.searchsorted(-scores, -least, side="right"))
    return ids[:end], scores[:end]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Within it FAISS uses the thread that calls, and no other."""
    faiss = load_faiss()
    usual = faiss.omp_get_max_threads()  # of the thread that calls
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(usual)


def best(ids: Ids, scores: Floats, k: int) -> Found:
    """Order by score, then by id, and cut at k."""
    if np.all(scores[1:] < scores[:-1]):  # as FAISS gives them where nothing ties
        return ids[:k], scores[:k]
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order]
