"""Raw values: what is a line, a number, a rating."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL.TiffImagePlugin import IFDRational

from indexer.metadata.values import line, number, paragraph, positive, rating_of_percent, whole


@pytest.mark.parametrize(
    ("value", "expected"),
    [("28/10", 2.8), ("1/0", None), ("nan", None), ("1e400", None), (IFDRational(0, 0), None),
     ((5,), 5.0), ((5, 6), None), ("a/b", None), (None, None), (b"7", 7.0), ("1/" + "9" * 99, 1 / float("9" * 38))],
)  # fmt: skip
def test_numbers(value, expected):
    assert number(value) == (pytest.approx(expected) if expected else expected)


def test_numbers_in_their_ranges():
    assert (positive(0, 5), positive(5, 5), positive(5.1, 5), positive(1 / 3, 5)) == (None, 5, None, 0.333333)
    assert (whole("3", 0, 5), whole(3.5, 0, 5), whole(6, 0, 5), whole(-1, -1, 5)) == (3, None, None, -1)


@pytest.mark.parametrize(
    ("percent", "stars"), [(0, 0), (1, 1), (25, 2), (50, 3), (75, 4), (99, 5), (100, 5), (101, None), (-1, None)]
)
def test_microsofts_percentages_are_stars(percent, stars):
    assert rating_of_percent(percent) == stars


@pytest.mark.parametrize("written", ["SONY DSC", "OLYMPUS DIGITAL CAMERA         ", "", "   ", "DCIM\\", "\0Dog"])
def test_what_cameras_fill_in_is_no_description(written):
    assert paragraph(written) == ("DCIM\\" if written == "DCIM\\" else None)


def test_texts_are_lines_of_bounded_length():
    assert line("a\tb\n c\x07\0junk") == "a b c"
    assert len(line("x" * 10**6)) == 200
    assert line("Sch\udcf6n") == "Schön" and line("東\ud800京") == "東 京"
    assert len(paragraph("x" * 10**6)) == 5000


@given(st.one_of(st.text(), st.binary(), st.none(), st.floats(), st.integers(), st.tuples(st.integers())))
def test_nothing_raises(value):
    found = line(value)
    assert found is None or found.isprintable()
    number(value)
