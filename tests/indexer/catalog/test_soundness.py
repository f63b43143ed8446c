"""Which stored vectors can be used."""

import numpy as np
import pytest

from indexer.catalog.soundness import sound, sound_floats
from tests.indexer.catalog_samples import vectors

GOOD = vectors(1)[0].tobytes()
BAD = {
    "cut": GOOD[:-2],
    "half a number": GOOD[:-1],
    "too long": GOOD + b"\0\0",
    "empty": b"",
    "zero": bytes(len(GOOD)),
    "nan": GOOD[:-2] + np.float16(np.nan).tobytes(),
    "infinite": GOOD[:-2] + np.float16(np.inf).tobytes(),
    "long": (vectors(1)[0] * np.float16(2)).tobytes(),
    "largest": np.full(8, 65504, np.float16).tobytes(),
    "text": "vector",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_is_damaged_is_told_from_its_neighbours(bad):
    several = [one.tobytes() for one in vectors(3, seed=2)]
    usable, found = sound([several[0], bad, *several[1:]], 8)
    assert usable.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(found, vectors(3, seed=2))
    assert sound([bad], 8)[1].shape == (0, 8)


def test_none_of_none_is_damaged():
    usable, found = sound([], 8)
    assert (usable.shape, found.shape) == ((0,), (0, 8))


@pytest.mark.parametrize("bad", [b"", b"\0" * 12, b"\0" * 7, np.array([1, np.nan], "<f4").tobytes(), "text", None])
def test_a_damaged_vector_of_a_tag_is_none(bad):
    assert sound_floats(bad) is None
    good = np.array([1, 2], "<f4")
    np.testing.assert_array_equal(sound_floats(good.tobytes(), 2), good)
    assert sound_floats(good.tobytes(), 3) is None
