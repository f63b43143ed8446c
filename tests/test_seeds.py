"""Every test draws the same numbers, whatever ran before it."""

import random

import numpy as np
import pytest
import torch

SEEN = []


def draw():
    return random.random(), np.random.rand(), torch.rand(1).item()


@pytest.fixture(scope="module")
def drawn():
    """What a fixture that a test is the first to ask for draws before it."""
    return draw()


@pytest.mark.parametrize("turn", range(3))
def test_each_begins_with_the_same_numbers(turn):
    SEEN.append(draw())
    assert len(set(SEEN)) == 1


def test_so_do_the_fixtures_that_it_is_first_to_use(drawn):
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    assert drawn == draw()
