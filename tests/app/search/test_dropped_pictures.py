"""What is kept of pictures that were dropped on the page: little, few, and not for long."""

import numpy as np
import pytest

from app.search.dropped_pictures import DroppedPictures
from app.search.query import Prepared
from tests.indexer.processes import wait_until

PREPARED = Prepared(2, np.zeros((2, 2, 3), np.uint8))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kept(clock):
    kept = DroppedPictures(most=3, kept_s=60, clock=clock)
    yield kept
    kept.close()


def test_a_token_finds_its_picture_and_cannot_be_guessed(kept):
    tokens = [kept.keep(PREPARED, str(number).encode()) for number in range(3)]
    assert [kept.find(token).small for token in tokens] == [b"0", b"1", b"2"]
    assert len(set(tokens)) == 3 and all(len(token) >= 32 for token in tokens)


@pytest.mark.parametrize("token", ["", "made up", None, 3, [], {}])
def test_anything_else_finds_none(kept, token):
    kept.keep(PREPARED, b"")
    assert kept.find(token) is None


def test_of_too_many_those_go_that_were_not_used_for_the_longest(kept):
    first, second, third = (kept.keep(PREPARED, b"") for _ in range(3))
    assert kept.find(first)
    fourth = kept.keep(PREPARED, b"")
    assert [kept.find(token) is not None for token in (first, second, third, fourth)] == [True, False, True, True]


def test_it_is_kept_for_a_time_after_its_last_use(kept, clock):
    used, unused = kept.keep(PREPARED, b""), kept.keep(PREPARED, b"")
    clock.now = 59
    assert kept.find(used)
    clock.now = 61
    assert kept.find(unused) is None
    assert kept.find(used)
    assert len(kept) == 1


def test_what_nobody_asks_for_goes_too():
    kept = DroppedPictures(kept_s=0.1)
    kept.keep(PREPARED, b"")
    wait_until(lambda: len(kept) == 0, 60)
    kept.keep(PREPARED, b"")
    wait_until(lambda: len(kept) == 0, 60)
    kept.close()
