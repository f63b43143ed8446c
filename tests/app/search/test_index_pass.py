"""One pass for queries that wait together: who shares, and that sharing changes no answer."""

import numpy as np
import pytest

from app.search.index_pass import Look, nearest_together
from indexer.catalog.columns.photo_set import PhotoSet
from indexer.vectors.index import VectorIndex

DIM = 16


class Counted:
    """An index that notes how many queries each of its searches had."""

    def __init__(self, index):
        self.index, self.passes = index, []

    def search(self, queries, k, allowed=None, *, exact=False, least=None):
        self.passes.append(len(queries))
        return self.index.search(queries, k, allowed, least=least)


@pytest.fixture
def numbers():
    return np.random.default_rng(5)


def unit(numbers, count):
    vectors = numbers.standard_normal((count, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def index(tmp_path, numbers):
    index = VectorIndex(tmp_path, dim=DIM, fingerprint="f")
    vectors = unit(numbers, 500)
    vectors[100:200] = vectors[100]  # a tie longer than a page
    index.add(np.arange(500), vectors)
    return Counted(index)


def test_queries_over_the_same_photos_share_a_pass(index, numbers):
    even, again, odd = (PhotoSet.of(np.arange(first, 500, 2)) for first in (0, 0, 1))
    withins = [None, even, None, odd, again, None]
    looks = [Look(index, vector, 37, within) for vector, within in zip(unit(numbers, 6), withins, strict=True)]
    nearest_together(looks)
    assert sorted(index.passes) == [1, 2, 3]


def test_what_is_shared_is_what_each_would_have_got_alone(index, numbers):
    vectors = unit(numbers, 8)
    vectors[3] = index.index.vector(100)  # into the tie
    chosen = [np.arange(0, 500, 3), np.arange(90, 150), np.array([7]), np.array([], np.int64)]
    third, tied, single, nothing = map(PhotoSet.of, chosen)
    withins = [None, third, None, None, tied, single, None, nothing]
    sizes = [37, 33, 60, 40, 37, 37, 500, 37]
    looks = [Look(index, *one) for one in zip(vectors, sizes, withins, strict=True)]
    for look, (ids, scores) in zip(looks, nearest_together(looks), strict=True):
        within = None if look.within is None else look.within.ids()
        alone_ids, alone_scores = index.index.search(look.vector[None], look.k, within)[0]
        assert np.array_equal(ids, alone_ids)
        assert np.array_equal(scores, np.clip(alone_scores, -1, 1))


def test_each_has_its_own_least_cosine_and_one_without_has_none(index, numbers):
    vectors, leasts = unit(numbers, 4), [0.1, -2.0, 0.3, 1.5]
    looks = [Look(index, vector, 100, least=least) for vector, least in zip(vectors, leasts, strict=True)]
    found = nearest_together(looks)
    assert index.passes == [4]
    for vector, least, (ids, scores) in zip(vectors, leasts, found, strict=True):
        every, cosines = nearest_together([Look(index, vector, 100)])[0]
        assert np.array_equal(ids, every[cosines >= np.float32(least)])
        assert np.array_equal(scores, cosines[cosines >= np.float32(least)])


def test_a_far_page_makes_no_other_fetch_as_much(index, numbers):
    first, far = (Look(index, vector, k) for vector, k in zip(unit(numbers, 2), (37, 400), strict=True))
    assert not first.shares_with(far)
    assert [len(ids) for ids, _ in nearest_together([first, far])] == [37, 400]


def test_scores_are_cosines_though_rows_of_halves_are_too_long(index, numbers):
    vectors = np.concatenate([index.index.vector(number)[None] for number in range(500)]).astype(np.float32)
    longest = vectors[np.argmax(np.linalg.norm(vectors, axis=1))]
    assert np.linalg.norm(longest) > 1
    looks = [Look(index, sign * longest, 500) for sign in (1, -1)]
    (_, most), (_, least) = nearest_together(looks)
    assert (most.max(), least.min()) == (1, -1)
