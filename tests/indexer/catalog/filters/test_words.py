"""Words that stand together in a name."""

import pytest

from indexer.catalog.filters.words import SaidNames, says, spoken


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


def test_a_camera_is_called_by_all_of_its_make_and_by_the_first_word_of_it():
    assert spoken("NIKON CORPORATION", "D850") == ["NIKON CORPORATION D850", "NIKON D850"]
    assert spoken("Canon", "EOS R5") == ["Canon EOS R5"]
    assert spoken("NIKON CORPORATION", None) == ["NIKON CORPORATION"]
    assert (spoken(None, "D850"), spoken(" ", "D850")) == (["D850"], ["  D850", "D850"])


def test_names_are_found_by_what_they_are_also_called():
    known = SaidNames(["NIKON CORPORATION D850", "Canon EOS R5"], ["NIKON D850", "Canon EOS R5"])
    assert [list(known.saying(words)) for words in ("nikon d850", "corporation d850", "eos")] == [[0], [0], [1]]
    assert [list(known.saying(words)) for words in ("nikon", "d850 nikon", "++")] == [[0], [], []]
