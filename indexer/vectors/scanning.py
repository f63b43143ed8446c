"""The exact search over rows of FAISS's float16 store, all of them or some, whichever way costs least.

FAISS passes over all rows about as fast as memory gives them. A selector that leaves out every other row takes twice as
long as that: nothing is fetched ahead any more. So where many rows may be hits, all are scored, block by block, and
those that score less than the k best so far are dropped inside FAISS. The shapes: n rows, d dimensions, q queries.
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
MANY_OF = 4  # and below which they are many: a selector takes as long as all rows when it lets a fifth of them pass
_BLOCK_ROWS = 16_384
_OFFSET = 0xFFFFFFFF  # of a label, whose upper half is the number of a list
_TIE_SLACK = 8
# Multiply-adds that one thread does in a millisecond or two; for less work no second one is woken.
_FEW_PRODUCTS = 8_000_000


def is_few(rows: int, total: int) -> bool:
    """Whether so many of all rows are copied together and searched alone."""
    return rows <= max(FEW_ROWS, total // FEW_OF)


def search_all(store: Any, places: Ids, queries: Floats, k: int) -> list[Found]:
    """The k best of all rows for each query (q, d); row i of the store has the id `places[i]`."""
    return _searched(store, places, queries, k, store.ntotal, None)


def search_some(store: Any, places: Ids, queries: Floats, k: int, rows: Ids) -> list[Found]:
    """The k best of some rows, ascending, which are too many to be copied."""
    if len(rows) * MANY_OF < len(places):
        bitmap = load_faiss().IDSelectorBitmap(np.packbits(_mask(rows, len(places)), bitorder="little"))
        selector = load_faiss().SearchParameters(sel=bitmap)
        return _searched(store, places, queries, k, len(rows), selector)
    mask, k = _mask(rows, len(places)), min(k, len(rows))
    if len(queries) < 2:
        return [_scan(store, places, query, k, mask) for query in queries]
    from concurrent.futures import ThreadPoolExecutor  # by queries that come together

    with ThreadPoolExecutor(min(len(queries), load_faiss().omp_get_max_threads())) as threads:
        return list(threads.map(lambda query: _scan(store, places, query, k, mask), queries))


def _mask(rows: Ids, total: int) -> NDArray[np.bool_]:
    mask = np.zeros(total, np.bool_)
    mask[rows] = True
    return mask


def _scan(store: Any, places: Ids, query: Floats, k: int, mask: NDArray[np.bool_]) -> Found:
    """The k best rows of a mask: FAISS gives what scores at least as much as the k best of the blocks before."""
    faiss = load_faiss()
    codes = faiss.rev_swig_ptr(store.codes.data(), store.ntotal * store.code_size)
    query = np.ascontiguousarray(query)
    scanner = store.sq.select_InvertedListScanner(store.metric_type, None, True, None)
    scanner.set_query(faiss.swig_ptr(query))
    scores, rows, radius = np.empty(0, np.float32), np.empty(0, np.int64), np.float32(-np.inf)
    for start in range(0, store.ntotal, _BLOCK_ROWS):
        count = min(_BLOCK_ROWS, store.ntotal - start)
        block = codes[start * store.code_size : (start + count) * store.code_size]
        above, offsets = _above(faiss, scanner, block, count, radius)
        allowed = mask[offsets + start]
        scores = np.concatenate([scores, above[allowed]])
        rows = np.concatenate([rows, offsets[allowed] + start])
        if len(scores) > k:
            least = np.partition(scores, -k)[-k]
            kept = scores >= least  # with all that tie with the last of the k
            scores, rows = scores[kept], rows[kept]
            radius = np.nextafter(least, np.float32(-np.inf))
    return best(places[rows], scores, k)


def _above(faiss: Any, scanner: Any, codes: NDArray[np.uint8], count: int, radius: np.float32) -> tuple[Floats, Ids]:
    """The scores above a radius among `count` rows, and where they stand in these."""
    result = faiss.RangeSearchResult(1)
    part = faiss.RangeSearchPartialResult(result)
    taken = part.new_result(0)
    scanner.scan_codes_range(count, faiss.swig_ptr(codes), None, float(radius), taken)
    found = int(taken.nres)
    part.finalize()
    if not found:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    labels = faiss.rev_swig_ptr(result.labels, found) & _OFFSET
    return faiss.rev_swig_ptr(result.distances, found).copy(), labels


def _searched(store: Any, places: Ids, queries: Floats, k: int, total: int, selector: Any) -> list[Found]:
    k = min(k, total)
    if k <= 0 or not len(queries):
        return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
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
    if np.all(scores[1:] < scores[:-1]):  # as FAISS gives them where nothing ties
        return ids[:k], scores[:k]
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order]
