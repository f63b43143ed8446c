"""Who follows whom: as a comparison of all pairs would say, one by one, and in blocks of any size."""

import numpy as np
import pytest

from app.duplicates import leaders
from app.duplicates.leaders import NEAR, VECTOR_ALONE, near_leaders
from tests.app.duplicates.pictures import at_angles

(LOOSE_BITS, LOOSE_COSINE), (TIGHT_BITS, TIGHT_COSINE) = NEAR


def bits_of(*counts):
    """Hashes with so many of their lowest bits set."""
    return np.array([2**count - 1 for count in counts], np.uint64)


def followed(bits, vectors, hashed=None, **more):
    return near_leaders(
        bits, np.ones(len(bits), bool) if hashed is None else np.array(hashed), vectors, **more
    ).tolist()


@pytest.mark.parametrize(
    ("bits", "degrees", "follows"),
    [
        (LOOSE_BITS, 24, True),  # a cosine of 0.91
        (LOOSE_BITS + 1, 0, False),
        (LOOSE_BITS, 27, False),  # 0.89
        (TIGHT_BITS, 52, True),  # 0.62
        (TIGHT_BITS + 1, 52, False),
        (0, 55, False),  # 0.57
    ],
)
def test_hash_and_vector_have_to_agree(bits, degrees, follows):
    assert (followed(bits_of(0, bits), at_angles(0, degrees)) == [0, 0]) is follows


def test_a_chain_of_small_steps_leads_nowhere():
    step = LOOSE_BITS - 2
    assert followed(bits_of(0, step, 2 * step, 3 * step, 4 * step), at_angles(*[0] * 5)) == [0, 0, 2, 2, 4]


def test_it_follows_the_leader_that_it_is_most_like():
    assert followed(bits_of(0, 16, 10), at_angles(0, 10, 8)) == [0, 1, 1]
    assert followed(bits_of(0, 16, 10), at_angles(0, 10, 2)) == [0, 1, 0]


def test_without_a_hash_the_vector_has_to_be_nearly_the_same():
    close, far = np.degrees(np.arccos([VECTOR_ALONE + 0.005, VECTOR_ALONE - 0.005]))
    for hashed in ([True, False], [False, True], [False, False]):
        assert followed(bits_of(0, 64), at_angles(0, close), hashed) == [0, 0]
        assert followed(bits_of(0, 0), at_angles(0, far), hashed) == [0, 1]


def test_what_cannot_be_one_picture_is_not():
    assert followed(bits_of(0, 0, 0), at_angles(0, 0, 0), may_be=lambda row, to: row != 1) == [0, 1, 0]


def one_by_one(bits, hashed, vectors):
    leader = []
    for row in range(len(bits)):
        best = None
        for to in [to for to in range(row) if leader[to] == to]:
            cosine = float(vectors[row].astype(np.float32) @ vectors[to].astype(np.float32))
            differing = (int(bits[row]) ^ int(bits[to])).bit_count()
            good = any(differing <= most and cosine >= least for most, least in NEAR)
            if good if hashed[row] and hashed[to] else cosine >= VECTOR_ALONE:
                best = max(best or (cosine, to), (cosine, to))
        leader.append(best[1] if best else row)
    return leader


@pytest.mark.parametrize(("block", "columns", "pairs"), [(1024, 16_384, 8_192), (7, 5, 3), (1, 1, 1)])
def test_blocks_change_nothing(monkeypatch, block, columns, pairs):
    monkeypatch.setattr(leaders, "_BLOCK", block)
    monkeypatch.setattr(leaders, "_COLUMNS", columns)
    monkeypatch.setattr(leaders, "_PAIRS", pairs)
    random = np.random.default_rng(3)
    kinds = random.integers(0, 12, 90)
    centres, hashes = random.standard_normal((12, 16)), random.integers(0, 2**63, 12, dtype=np.uint64)
    vectors = centres[kinds] + 0.15 * random.standard_normal((90, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    flips = np.array([sum(1 << int(bit) for bit in random.choice(63, random.integers(0, 9), False)) for _ in kinds])
    bits, hashed = hashes[kinds] ^ flips.astype(np.uint64), random.random(90) < 0.8
    told = []
    expected = one_by_one(bits, hashed, vectors)
    assert 20 < len(set(expected)) < 80
    assert followed(bits, vectors, hashed, on_progress=lambda *done: told.append(done)) == expected
    assert told[-1] == (90, 90)


def test_nothing_follows_nothing():
    assert followed(bits_of(), np.zeros((0, 4), np.float16)) == []
