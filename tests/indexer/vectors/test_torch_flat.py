import numpy as np
import pytest

from indexer.vectors import torch_flat
from indexer.vectors.torch_flat import TorchFlat
from tests.indexer.unit_vectors import DIM, unit


def filled(rows):
    flat = TorchFlat(DIM, "cpu")
    for part in np.array_split(rows, 7):
        flat.add(part)
    return flat


@pytest.mark.parametrize("queries", [1, 5])
@pytest.mark.parametrize("scores_at_once", [50, 2**28])
def test_it_finds_the_best_in_chunks_as_in_one(monkeypatch, queries, scores_at_once):
    monkeypatch.setattr(torch_flat, "_SCORES", scores_at_once)
    rows, asked = unit(203).astype(np.float16), unit(queries, seed=1).astype(np.float16)
    scores, found = filled(rows).search(asked.astype(np.float32), 10)
    exact = asked.astype(np.float64) @ rows.astype(np.float64).T
    assert scores.shape == found.shape == (queries, 10)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert np.abs(scores - np.sort(exact, axis=1)[:, ::-1][:, :10]).max() < 1e-3
    assert np.abs(np.take_along_axis(exact, found, 1) - scores).max() < 1e-3


def test_room_is_made_once_for_what_is_reserved_and_given_back_by_a_reset():
    flat, rows = TorchFlat(DIM, "cpu"), unit(100)
    flat.add(rows[:10])
    flat.reserve(100)
    room = flat._rows.data_ptr()
    for start in range(10, 100, 10):
        flat.add(rows[start : start + 10])
    assert (flat.ntotal, flat._rows.data_ptr()) == (100, room)
    assert np.array_equal(flat._rows.numpy(), rows.astype(np.float16))
    flat.reset()
    assert flat.ntotal == flat._rows.untyped_storage().nbytes() == 0


def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises((RuntimeError, AssertionError)):
        TorchFlat(DIM, "cuda:99")
