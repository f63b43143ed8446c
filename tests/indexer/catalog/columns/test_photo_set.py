"""Sets of photos."""

import numpy as np
import pytest

from indexer.catalog.columns.photo_set import PhotoSet


@pytest.mark.parametrize("ids", [[], [0], [5], [1, 2, 900]])
def test_what_goes_in_comes_out(ids):
    photos = PhotoSet.of(np.array(ids, dtype=np.int64))
    assert photos.ids().tolist() == ids
    assert len(photos) == len(ids)
    assert not photos.marks[-1]


def test_photos_are_taken_out_of_a_copy():
    photos = PhotoSet.of(np.array([1, 2, 3]))
    assert photos.without(np.array([2, 77])).ids().tolist() == [1, 3]
    assert photos.without(np.empty(0, np.int64)).ids().tolist() == photos.ids().tolist() == [1, 2, 3]


@pytest.mark.parametrize("ids", [[], [0], [1, 3, 4], [2, 77]])
def test_of_some_photos_those_in_the_set(ids):
    photos = PhotoSet.of(np.array([1, 2, 3]))
    assert photos.among(np.array(ids, dtype=np.int64)).tolist() == [one for one in ids if one in (1, 2, 3)]
    assert PhotoSet.of(np.empty(0, np.int64)).among(np.array(ids, dtype=np.int64)).tolist() == []
