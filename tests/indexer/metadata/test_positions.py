"""Latitudes and longitudes in every form that programs write, and in none that is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.metadata.positions import degrees_of


@pytest.mark.parametrize(
    ("text", "side", "expected"),
    [
        ("79.0770034790039", "W", -79.0770034790039),
        ("79.077", "E", 79.077),
        ("-79.0770", None, -79.077),
        ("+79.0770", None, 79.077),
        ("79.0770", None, 79.077),
        ("-79.0770", "W", -79.077),
        ("79.0770W", None, -79.077),
        ("79,4.620W", None, -79.077),
        ("79,4.620", "W", -79.077),
        ("79,4,37.2W", None, -79.077),
        ("79,4,37.2W", "W", -79.077),
        ("79,4,620W", None, -79.077),  # 620 seconds there are not
        ("79,0770W", None, -79.077),
        ("79° 4' 37.2\" W", None, -79.077),
        ("79 4 37.2 w", None, -79.077),
        ("180,0,0W", None, -180.0),
        ("-79.0770", "E", None),
        ("79,4,37.2W", "E", None),
        ("79,4,37.2N", None, None),
        ("79,4,37.2", None, None),
        ("79,60W", None, -79.6),  # a comma as the decimal sign: minutes go to 59
        ("79,61.5W", None, None),
        ("79,4,61.5W", None, None),
        ("79.5,4W", None, None),
        ("181W", None, None),
        ("180,0,1W", None, None),
        ("79,4,37,2W", None, -79.077),  # four numbers there are not either
        ("79° 4' 37,2\" W", None, -79.077),
        ("79° 4,62' W", None, -79.077),
        ("79° 4,05' W", None, -79.0675),  # a mark behind it says what a number is of
        ("79,05° W", None, -79.05),
        ("79° 4,05 W", None, None),  # minutes with a fraction, or minutes and seconds
        ("W 79° 4' 37.2\"", None, -79.077),
        ("W79.077", None, -79.077),
        ("W79.077E", None, None),
        ("79 deg 4' 37.2\" W", None, -79.077),
        ("79,4,61,5W", None, None),
        ("79,4,3,7,2W", None, None),
        ("W", None, None),
        ("", "W", None),
        (None, None, None),
        ("1e2W", None, None),
        ("nan", "W", None),
    ],
)
def test_forms(text, side, expected):
    found = degrees_of(text, "EW", 180, side)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


@given(st.text(max_size=60), st.text(max_size=3))
def test_any_text_is_read(text, side):
    found = degrees_of(text, "NS", 90, side)
    assert found is None or -90 <= found <= 90
