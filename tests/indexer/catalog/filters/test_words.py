"""Words that stand together in a name."""

import pytest

from indexer.catalog.filters.words import says


@pytest.mark.parametrize(
    ("name", "wanted", "said"),
    [
        ("Canon EOS R5", "eos r5", True),
        ("Canon EOS R5", "canon r5", False),
        ("Canon EOS R5", "eos r", False),
        ("Citröen", "citroen", True),
        ("C++", "++", True),
        ("C++", "--", False),
        ("anything", " ", False),
    ],
)
def test_whole_words_one_after_the_other(name, wanted, said):
    assert says(name, wanted) is said
