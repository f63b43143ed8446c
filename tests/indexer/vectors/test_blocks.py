"""One pass for all queries that come together gives what FAISS gives each alone, to the bit, and wakes no OpenMP."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.vectors import blocks, scanning
from indexer.vectors.rows import VectorRows
from tests.fuzzing import examples
from tests.indexer.unit_vectors import unit

DIM = 16


def filled(count, *, distinct):
    """Rows of which many are the same, under ids in no order."""
    rows = VectorRows(DIM)
    vectors = unit(distinct, dim=DIM).astype(np.float16)
    numbers = np.random.default_rng(count).permutation(3 * count)[:count]
    rows.put(numbers, vectors[np.arange(count) * 7 % distinct])
    return rows


def plain(found):
    return [(ids.tolist(), scores.tolist()) for ids, scores in found]


@contextmanager
def small_blocks(rows=37, **others):
    """Everything small enough for what large libraries meet: many blocks, samples, threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_BLOCK_BYTES", rows * 2 * DIM)
        for name, value in {"_CACHE_BYTES": 0, "_SOME": 8, "_SAMPLE": 20, "_ENOUGH": 0, **others}.items():
            patch.setattr(blocks, name, value)
        yield patch


@settings(max_examples=examples(60))
@given(
    k=st.sampled_from([1, 2, 5, 30, 70, 299, 300, 1000]),
    distinct=st.sampled_from([1, 9, 120, 300]),
    queries=st.integers(0, 6),
    share=st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.6, 1.0, None]),
    threads=st.sampled_from([1, 3]),
    block=st.sampled_from([1, 37, 300, 1000]),
    least=st.sampled_from([None, -2.0, -0.3, 0.0, 0.25, 2.0]),
    seed=st.integers(0, 1000),
)
def test_together_each_query_gets_what_it_gets_alone(k, distinct, queries, share, threads, block, least, seed):
    rows = filled(300, distinct=distinct)
    asked = unit(6, dim=DIM, seed=seed)[:queries]
    chosen = np.arange(300) if share is None else np.flatnonzero(np.random.default_rng(seed).random(300) < share)
    store, places = rows._store, rows.table.by_row
    alone = [
        scanning.search_store(rows._copy_of(chosen), places[chosen], query[None], k)[0] if len(chosen) else ([], [])
        for query in asked
    ]
    bounds = None if least is None else np.full(queries, least, np.float32)
    expected = [
        (
            [number for number, score in zip(ids, scores, strict=True) if least is None or score >= np.float32(least)],
            [score for score in scores if least is None or score >= np.float32(least)],
        )
        for ids, scores in alone
    ]
    with small_blocks(block, _FEW_PRODUCTS=0), threads_of_faiss(threads):
        if share is None:
            found = blocks.search_all(store, places, asked, k, bounds)
        else:
            found = blocks.search_some(store, places, asked, k, chosen, bounds)
    assert plain(found) == expected


@contextmanager
def threads_of_faiss(count):
    usual = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(usual)


def test_a_guess_that_is_too_high_costs_no_hit(monkeypatch):
    rows, asked = filled(300, distinct=300), unit(3, dim=DIM, seed=1)
    monkeypatch.setattr(blocks._Pass, "radii", lambda rows, queries: [0.9, -1.0, 2.0])
    with small_blocks():
        found = blocks.search_all(rows._store, rows.table.by_row, asked, 50)
    assert plain(found) == plain(scanning.search_store(rows._store, rows.table.by_row, asked, 50))


def test_what_is_guessed_leaves_a_few_more_than_are_wanted():
    rows = VectorRows(DIM)
    vectors = unit(4000, dim=DIM)
    vectors = vectors[np.argsort(-vectors[:, 0], kind="stable")]  # photos that are alike stand together
    rows.put(np.arange(4000), vectors.astype(np.float16))
    asked = np.vstack([np.eye(1, DIM, dtype=np.float32), unit(3, dim=DIM, seed=3)])
    with small_blocks(_SAMPLE=300):
        for allowed in (None, np.arange(0, 4000, 3), np.arange(1000, 4000)):
            one = blocks._Pass(rows._store, blocks._codes(rows._store), rows.table.by_row, 60, allowed, None)
            scores = asked @ vectors[slice(None) if allowed is None else allowed].T
            above = (scores > np.array(one.radii(asked))[:, None]).sum(axis=1)
            assert ((above >= 60) & (above < 400)).all()


class Asked:
    """A store that notes with how many threads FAISS may search it."""

    def __init__(self, store):
        self._store, self.threads = store, []

    def __getattr__(self, name):
        return getattr(self._store, name)

    def search(self, *given):
        self.threads.append(faiss.omp_get_max_threads())
        return self._store.search(*given)


@pytest.mark.parametrize("queries", [1, 4])
def test_faiss_wakes_no_thread_of_its_own(queries):
    """In a process that has torch they would burn a core each for milliseconds after every search."""
    count = 70_000  # more products for one query than a second thread used to be woken for
    rows = VectorRows(128)
    rows.put(np.arange(count), np.tile(unit(100, dim=128).astype(np.float16), (count // 100, 1)))
    store = Asked(rows._store)
    with threads_of_faiss(2):
        blocks.search_all(store, rows.table.by_row, unit(queries, dim=128, seed=2), 3)
        assert set(store.threads) <= {1}
        assert faiss.omp_get_max_threads() == 2
    assert len(store.threads) > 0 or queries > 1


def test_nobody_waits_for_a_thread_that_has_not_begun(monkeypatch):
    """Other searches, or other programs, have it: what it would have done is done meanwhile."""
    rows, asked = filled(300, distinct=300), unit(3, dim=DIM, seed=1)
    taken = threading.Event()
    with ThreadPoolExecutor(1) as busy, small_blocks(_FEW_PRODUCTS=0), threads_of_faiss(3):
        waiting = busy.submit(taken.wait, 60)
        monkeypatch.setattr(blocks, "_helpers", lambda: busy)
        found = blocks.search_all(rows._store, rows.table.by_row, asked, 5)
        assert not waiting.done()
        taken.set()
    assert plain(found) == plain(scanning.search_store(rows._store, rows.table.by_row, asked, 5))


def test_when_python_ends_the_caller_looks_alone(monkeypatch):
    rows, asked = filled(300, distinct=300), unit(3, dim=DIM, seed=1)
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    monkeypatch.setattr(blocks, "_helpers", lambda: ended)
    with small_blocks(_FEW_PRODUCTS=0), threads_of_faiss(3):
        found = blocks.search_all(rows._store, rows.table.by_row, asked, 5)
    assert plain(found) == plain(scanning.search_store(rows._store, rows.table.by_row, asked, 5))


def test_what_goes_wrong_in_another_thread_is_raised_and_not_left_out(monkeypatch):
    rows, asked = filled(300, distinct=300), unit(3, dim=DIM, seed=1)
    look, here, begun = blocks._Best.look, threading.get_ident(), threading.Event()

    def looks(one, number, block):
        if threading.get_ident() != here:
            begun.set()
            raise MemoryError("no room")
        begun.wait(60)
        look(one, number, block)

    monkeypatch.setattr(blocks._Best, "look", looks)
    with ThreadPoolExecutor(1) as other, small_blocks(_FEW_PRODUCTS=0), threads_of_faiss(2):
        monkeypatch.setattr(blocks, "_helpers", lambda: other)
        with pytest.raises(MemoryError, match="no room"):
            blocks.search_all(rows._store, rows.table.by_row, asked, 5)


def test_no_thread_looks_any_more_when_the_caller_has_failed(monkeypatch):
    """Whoever waited for the search changes the rows next."""
    rows, asked = filled(300, distinct=300), unit(3, dim=DIM, seed=1)
    here, begun, failed, ended = threading.get_ident(), threading.Event(), threading.Event(), []

    def looks(*_):
        if threading.get_ident() == here:
            begun.wait(60)
            raise MemoryError("no room")
        begun.set()
        failed.wait(0.2)  # is not set before the search has ended
        ended.append(True)

    monkeypatch.setattr(blocks._Best, "look", looks)
    with ThreadPoolExecutor(1) as other, small_blocks(_FEW_PRODUCTS=0), threads_of_faiss(2):
        monkeypatch.setattr(blocks, "_helpers", lambda: other)
        with pytest.raises(MemoryError, match="no room"):
            blocks.search_all(rows._store, rows.table.by_row, asked, 5)
        had_ended = bool(ended)
        failed.set()
    assert had_ended


def test_no_more_than_is_wanted_is_kept_of_photos_that_all_tie():
    rows, asked = filled(3000, distinct=1), unit(2, dim=DIM, seed=1)
    kept = []
    the_best = blocks._the_best
    with small_blocks(100) as patch:
        patch.setattr(blocks, "_the_best", lambda *given: kept.append(the_best(*given)) or kept[-1])
        found = blocks.search_all(rows._store, rows.table.by_row, asked, 5)
    assert max(len(ids) for ids, _ in kept) == 5
    assert [ids.tolist() for ids, _ in found] == [np.sort(rows.table.by_row)[:5].tolist()] * 2


def test_rows_are_copied_a_block_at_a_time():
    rows = filled(300, distinct=300)
    room = np.empty((100, 2 * DIM), np.uint8)
    codes = blocks._codes(rows._store)
    copied = blocks._copied(codes, np.array([3, 299, 5]), room)
    assert np.shares_memory(copied, room)
    assert (copied == codes[[3, 299, 5]]).all()
