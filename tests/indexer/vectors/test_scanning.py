"""The ways to search some of the rows: each gives what the others give, to the bit, ties among it."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.vectors import blocks, scanning
from indexer.vectors.rows import IdMask, VectorRows
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


def by_hand(rows, query, k, chosen):
    """The scores are FAISS's own, of each row alone: the order and the cut are what is tested."""
    scores = np.empty(len(chosen), np.float32)
    for place, row in enumerate(chosen.tolist()):
        store = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        store.add_sa_codes(rows.halves()[row : row + 1].view(np.uint8))
        scores[place] = store.search(query[None], 1)[0][0, 0]
    ids = rows.table.by_row[chosen]
    order = np.lexsort((ids, -scores))[:k]
    return ids[order].tolist(), scores[order].tolist()


@settings(max_examples=examples(40))
@given(
    share=st.sampled_from([0.0, 0.02, 0.2, 0.3, 0.6, 0.99, 1.0]),
    k=st.sampled_from([1, 5, 70, 1000]),
    distinct=st.sampled_from([1, 9, 300]),
    seed=st.integers(0, 1000),
)
def test_some_rows_are_searched_as_if_they_were_all(share, k, distinct, seed):
    rows = filled(300, distinct=distinct)
    chosen = np.flatnonzero(np.random.default_rng(seed).random(300) < share)
    query = unit(2, dim=DIM, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "FEW_ROWS", 10)
        patch.setattr(blocks, "_BLOCK_BYTES", 37 * 2 * DIM)
        expected = [by_hand(rows, one, k, chosen) for one in query]
        for asked in (query[:1], query):
            found = rows.search(asked, k, chosen)
            assert [(ids.tolist(), scores.tolist()) for ids, scores in found] == expected[: len(asked)]
        every = rows.search(query, k, np.arange(300))
        for one, other in zip(every, rows.search(query, k), strict=True):
            assert [part.tolist() for part in one] == [part.tolist() for part in other]


def test_rows_that_may_not_be_hits_and_score_most_push_none_out():
    rows = VectorRows(DIM)
    query = unit(1, dim=DIM)
    vectors = unit(5000, dim=DIM, seed=2)
    vectors = vectors[np.argsort(-(vectors @ query[0]), kind="stable")]
    rows.put(np.arange(5000), vectors.astype(np.float16))
    chosen = np.arange(2500, 5000)
    found = rows.search(query, 30, chosen)[0]
    store = rows._copy_of(chosen)
    alone = scanning.search_store(store, chosen, query, 30)[0]
    assert [part.tolist() for part in found] == [part.tolist() for part in alone]


def test_a_mask_takes_ids_by_their_low_bits_and_knows_none_beyond_its_end():
    mask = IdMask(np.array([False, True, False, True, False]), low_bits=8)
    ids = np.array([1, 2, 3, 4, 200, 1 + (5 << 8), 2 + (5 << 8)])
    assert mask.among(ids).tolist() == [True, False, True, False, False, True, False]
    rows = VectorRows(DIM)
    rows.put(ids, unit(len(ids), dim=DIM).astype(np.float16))
    assert rows.rows_within(mask).tolist() == [0, 2, 5]
    assert rows.rows_within(IdMask(np.array([*[True] * 201, False]), low_bits=8)) is None
