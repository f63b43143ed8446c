"""Numbers with their nouns."""

import pytest

from indexer.counted import counted


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (0, ["photo"], "0 photos"),
        (1, ["photo"], "1 photo"),
        (2, ["photo"], "2 photos"),
        (12_345, ["match", "matches"], "12,345 matches"),
        (1, ["photo is", "photos are"], "1 photo is"),
        (0, ["photo is", "photos are"], "0 photos are"),
    ],
)
def test_one_is_singular_and_all_else_plural(count, words, said):
    assert counted(count, *words) == said
