"""One pass over rows for all queries that come together: block by block, each scored for all while a cache holds it.

FAISS's own search fetches the rows from memory anew for each query. It also wakes threads of OpenMP, which are torch's
in a process that has torch, and each of which burns a core for milliseconds behind its work, and beside a single query,
where it has none. Here threads of Python take one block after the other, and nobody waits for one that has not begun.
The scores are FAISS's own, to the bit. The shapes: n rows, d dimensions, q queries, m rows of some kind.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.scanning import Floats, Found, Ids, best, search_store

Codes: TypeAlias = NDArray[np.uint8]  # (n, bytes) of float16 rows

MANY_OF = 4  # rows for each that may be hit, below which all are looked at, rather than those copied block by block
_BLOCK_BYTES = 4 * 2**20
_SOME = 512  # rows above the radius, or twice as many as are wanted, from which the radius is raised
_PIECE = 4096  # rows in each of the pieces in which FAISS keeps what it found
_PLACE = 0xFFFFFFFF  # in a label, whose upper half is the number of a block
_CACHE_BYTES = 16 * 2**20  # of rows that a cache may hold: FAISS's own search of these is the quickest
_SAMPLE = 2048  # rows that tell about how much the best of all score
_ENOUGH = 8  # of the best among them, for which it is worth while
_EVERYTHING = float("-inf")
# Multiply-adds that one thread does in three milliseconds or five; for less work no second one is woken.
_FEW_PRODUCTS = 64_000_000


def search_all(store: Any, places: Ids, queries: Floats, k: int, least: Floats | None = None) -> list[Found]:
    """The k best of all rows for each query (q, d); row i of the store has the id `places[i]`.

    What scores less than `least` (q,) may be left out: to keep the best of a hundred thousand in order takes half as
    long as to score them.
    """
    if (least is None and len(queries) < 2) or store.ntotal * store.code_size <= _CACHE_BYTES:
        return search_store(store, places, queries, k)
    return _searched(_Pass(store, _codes(store), places, min(k, store.ntotal), None, None), queries, least)


def search_some(
    store: Any, places: Ids, queries: Floats, k: int, rows: Ids, least: Floats | None = None
) -> list[Found]:
    """The k best of some rows, ascending, which are too many to be copied all at once; `least` as above."""
    mask = None
    if len(rows) * MANY_OF >= len(places):
        mask = np.zeros(len(places), np.bool_)
        mask[rows] = True
    return _searched(_Pass(store, _codes(store), places, min(k, len(rows)), rows, mask), queries, least)


def _codes(store: Any) -> Codes:
    codes: Codes = load_faiss().rev_swig_ptr(store.codes.data(), store.ntotal * store.code_size)
    return codes.reshape(store.ntotal, -1)


def _searched(rows: _Pass, queries: Floats, least: Floats | None) -> list[Found]:
    if rows.k <= 0 or not len(queries):
        return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
    floors = [_EVERYTHING] * len(queries) if least is None else np.nextafter(least, np.float32(-np.inf)).tolist()
    radii = [max(guessed, floor) for guessed, floor in zip(rows.radii(queries), floors, strict=True)]
    found = rows.over(queries, radii)
    lacking = [at for at, (ids, _) in enumerate(found) if len(ids) < rows.k and radii[at] > floors[at]]
    for at, one in zip(lacking, rows.over(queries[lacking], [floors[at] for at in lacking]), strict=True):
        found[at] = one  # its radius was guessed too high
    ordered = [(ids, scores, np.argsort(-scores, kind="stable")) for ids, scores in found]
    return [best(ids[order], scores[order], rows.k) for ids, scores, order in ordered]


@dataclass(frozen=True, eq=False)
class _Pass:
    """What the queries of one pass have in common.

    Attributes:
        store: of all rows.
        codes: its own.
        places: (n,) the id of each row.
        k: how many are wanted, at most as many as may be hit.
        rows: (m,) ascending, which may be hit; None for all.
        mask: (n,) the same, where all rows are looked at; None: the rows are copied, block by block.
    """

    store: Any
    codes: Codes
    places: Ids
    k: int
    rows: Ids | None
    mask: NDArray[np.bool_] | None

    def over(self, queries: Floats, radii: list[float]) -> list[Found]:
        """For each query the k best of those that score more than its radius, in any order."""
        if not len(queries):
            return []
        copied = self.rows if self.mask is None else None
        places = self.places if copied is None else self.places[copied]
        total = len(self.codes) if copied is None else len(copied)
        many = len(queries) * total * self.store.d > _FEW_PRODUCTS
        # One block, without Python in between; not of all rows, of which the first tell which others count.
        alone = len(queries) == 1 and not many and copied is None and radii[0] > _EVERYTHING
        size = total if alone else max(1, _BLOCK_BYTES // self.store.code_size)
        count = -(-total // size)
        numbers = iter(range(count))  # the next of them is one step for all threads

        def look() -> list[_Best]:
            bests = [_Best(self, places, query, radius, size) for query, radius in zip(queries, radii, strict=True)]
            room = np.empty((0 if copied is None else min(size, total), self.store.code_size), np.uint8)
            for number in numbers:
                part = slice(number * size, (number + 1) * size)
                block = self.codes[part] if copied is None else _copied(self.codes, copied[part], room)
                for one in bests:
                    one.look(number, block)
            for one in bests:
                one.gather()
            return bests

        threads = min(count, load_faiss().omp_get_max_threads()) if many else 1  # of those that the caller may have
        found = zip(*_by_threads(look, threads), strict=True)
        return [_the_best([part.found for part in parts], self.k) for parts in found]

    def radii(self, queries: Floats) -> list[float]:
        """For each query a score that a few more than k rows exceed, guessed from a sample of them."""
        total = len(self.codes) if self.rows is None else len(self.rows)
        expected = self.k * _SAMPLE / total
        place = int(expected + 4 * expected**0.5 + 4)  # in the sample: four standard deviations to be sure
        if len(queries) < 2 or total <= 4 * _SAMPLE or expected < _ENOUGH or 4 * place > _SAMPLE:
            return [_EVERYTHING] * len(queries)
        chosen = np.arange(_SAMPLE) * total // _SAMPLE
        chosen = chosen if self.rows is None else self.rows[chosen]
        sample = _Pass(self.store, self.codes, self.places, place, chosen, None)
        return [float(scores.min()) for _, scores in sample.over(queries, [_EVERYTHING] * len(queries))]


class _Best:
    """The best rows of one query among those that one thread looks at.

    Attributes:
        found: ids and scores of the k best that were gathered, in any order.
    """

    def __init__(self, rows: _Pass, places: Ids, query: Floats, radius: float, size: int) -> None:
        """Look at nothing yet; `places` are the ids of the rows of the pass, of which `size` are in a block."""
        self._faiss = load_faiss()
        self._query = np.ascontiguousarray(query)  # FAISS knows its address alone
        self._scanner = rows.store.sq.select_InvertedListScanner(rows.store.metric_type, None, True, None)
        self._scanner.set_query(self._faiss.swig_ptr(self._query))
        self._k, self._mask, self._radius = rows.k, rows.mask, radius
        self._places, self._size = places, size
        self.found: Found = (np.empty(0, np.int64), np.empty(0, np.float32))
        self._begin()

    def _begin(self) -> None:
        self._result = self._faiss.RangeSearchResult(1)
        self._result.buffer_size = _PIECE
        self._part = self._faiss.RangeSearchPartialResult(self._result)
        self._taken = self._part.new_result(0)

    def look(self, number: int, block: Codes) -> None:
        """Score a block (m, bytes), of which it is the number."""
        self._scanner.set_list(number, 0.0)
        self._scanner.scan_codes_range(len(block), self._faiss.swig_ptr(block), None, self._radius, self._taken)
        if self._taken.nres >= max(2 * self._k, _SOME):
            self.gather()
            self._begin()

    def gather(self) -> None:
        """Put what scored more than the radius to what was found, and raise the radius to what the k best score."""
        taken = int(self._taken.nres)
        self._part.finalize()
        if not taken:
            return
        labels = self._faiss.rev_swig_ptr(self._result.labels, taken)
        scores = self._faiss.rev_swig_ptr(self._result.distances, taken).copy()
        at = (labels >> 32) * self._size + (labels & _PLACE)
        if self._mask is not None:
            allowed = self._mask[at]
            at, scores = at[allowed], scores[allowed]
        self.found = _the_best([self.found, (self._places[at], scores)], self._k)
        if len(self.found[0]) == self._k:  # one that scores no more may have a lower id
            least = np.nextafter(self.found[1].min(), np.float32(-np.inf))
            self._radius = max(self._radius, float(least))


def _copied(codes: Codes, rows: Ids, room: Codes) -> Codes:
    """Rows in the same memory as those before: new memory takes longer than the copy."""
    return np.take(codes, rows, axis=0, out=room[: len(rows)], mode="clip")  # else NumPy makes room once more


def _the_best(parts: Sequence[Found], k: int) -> Found:
    """The k best of all parts, the lowest ids of those that tie, in any order."""
    ids, scores = (np.concatenate(side) for side in zip(*parts, strict=True))
    if len(scores) <= k:
        return ids, scores
    least = np.partition(scores, -k)[-k]
    kept = np.flatnonzero(scores >= least)
    if len(kept) > k:
        tied, kept = kept[scores[kept] == least], kept[scores[kept] > least]
        kept = np.append(kept, tied[np.argsort(ids[tied])[: k - len(kept)]])
    return ids[kept], scores[kept]


def _by_threads(look: Callable[[], list[_Best]], threads: int) -> list[list[_Best]]:
    """What this thread gives, and others that begin before it has ended."""
    helping: list[Future[list[_Best]]] = []
    with suppress(RuntimeError):  # Python is ending, and starts no thread any more
        helping += (_helpers().submit(look) for _ in range(threads - 1))
    try:
        found = [look()]
    finally:
        begun = [one for one in helping if not one.cancel()]
        wait(begun)  # whatever happened: the rows may be changed as soon as this returns
    return [*found, *(one.result() for one in begun)]


@functools.cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), "index-blocks")
