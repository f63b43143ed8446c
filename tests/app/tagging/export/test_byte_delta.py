"""The old bytes come back of the new ones, whatever both are; and a photo's journal is small."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tagging.export.byte_delta import applied, delta

PICTURE = random.Random(0).randbytes(500_000)


@given(st.lists(st.tuples(st.sampled_from(["both", "old", "new"]), st.binary(max_size=200)), max_size=12), st.data())
def test_any_file_comes_back(pieces, data):
    before = b"".join(piece for where, piece in pieces if where != "new")
    after = b"".join(piece for where, piece in data.draw(st.permutations(pieces)) if where != "old")
    parts = [piece for where, piece in pieces if where == "both"]
    assert applied(delta(before, after, parts), after) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"head" + PICTURE, b"header" + PICTURE),
        (b"head" + PICTURE + b"old tail", b"longer head" + PICTURE + b"tail"),
        (b"\0" * 300_000 + PICTURE, b"x" + PICTURE + b"\0" * 7),
    ],
)
def test_what_both_have_is_not_kept(before, after):
    made = delta(before, after, [memoryview(PICTURE)])
    assert applied(made, after) == before
    assert len(made) < len(before) - len(PICTURE) + 200


def test_something_else_is_no_delta():
    with pytest.raises(ValueError, match="no delta"):
        applied(b"", PICTURE)
