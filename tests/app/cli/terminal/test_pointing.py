"""Carets below the place in a query that an error is about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from app.cli.terminal.pointing import MOST, pointed
from app.search.language.spots import CUT, Spot


def at(before, part, after=""):
    return Spot(before + part + after, len(before), len(before + part))


@pytest.mark.parametrize(
    ("spot", "lines"),
    [
        (at("dog after:", "soon", " red"), ["  dog after:soon red", "            ^^^^"]),
        (at("\u6771\u4eac after:", "\u660e\u65e5"), ["  \u6771\u4eac after:\u660e\u65e5", "             ^^^^"]),
        (at("caf\u0065\u0301 ", "x:", "1"), ["  caf\u0065\u0301 x:1", "       ^^"]),
        (at("a\tb\x1b[2J", "OR"), ["  a\\tb\\x1b[2JOR", "             ^^"]),
        (at("a\u202eb ", "OR"), ["  a\\u202eb OR", "           ^^"]),
        (at("\udcff ", "OR"), ["  \\udcff OR", "         ^^"]),
    ],
)
def test_carets_stand_below_the_part(spot, lines):
    assert pointed(spot, "utf-8") == lines


def test_what_a_terminal_lacks_is_escaped_before_columns_are_counted():
    assert pointed(at("\u6771 ", "OR"), "ascii") == ["  \\u6771 OR", "         ^^"]
    assert pointed(at("\u6771 ", "OR"), None) == ["  \u6771 OR", "     ^^"]


kinds = "a \u00e9\u0301\u6771\x1b\n\u202e\udcff\U0001f415\u05db"


@given(st.text(kinds, max_size=100), st.text(kinds, min_size=1, max_size=100), st.text(kinds, max_size=100))
def test_two_lines_are_never_wider_than_a_terminal(before, part, after):
    for encoding in ("utf-8", "latin-1"):
        shown, carets = pointed(at(before, part, after), encoding)
        assert max(cell_len(shown), len(carets)) <= MOST + 2 * len(CUT) + 2
        assert not set(shown) & set("\x1b\n\u202e\udcff")
        assert carets.strip(" ").strip("^") == ""
        assert carets.endswith("^")
