"""A page begins behind the hit that was the last of the page before, wherever that is now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.search.refinement import going_on
from app.search.refinement.going_on import start_of


def listing(order):
    return lambda limit, offset: [hit if isinstance(hit, tuple) else (hit,) for hit in order[offset : offset + limit]]


@pytest.mark.parametrize(
    ("order", "offset", "behind", "start"),
    [
        ([1, 2, 3, 4, 5], 2, None, 2),
        ([1, 2, 3, 4, 5], 2, 2, 2),
        ([8, 9, 1, 2, 3, 4], 2, 2, 4),  # two have come
        ([2, 3, 4, 5], 2, 2, 1),  # one has gone
        ([3, 4, 5], 2, 2, 2),  # the last one has gone
        ([7, 1, (6, 2), 3], 2, 2, 3),  # another copy of it stands now
        ([1, 2, 3], 0, 2, 2),  # without a place to look near
        ([], 2, 2, 2),
    ],
)
def test_the_start_follows_the_last_hit(order, offset, behind, start):
    assert start_of(offset, behind, listing(order)) == start


def test_a_hit_that_stays_in_its_place_is_looked_for_nowhere_else():
    asked = []

    def listed(limit, offset):
        asked.append((limit, offset))
        return [(offset + at,) for at in range(limit)]

    assert start_of(5000, 4999, listed) == 5000
    assert asked == [(1, 4999)]
    assert start_of(5000, 5600, listed) == 5601
    assert max(limit for limit, _ in asked) <= 2 * max(going_on.REACHES)


@given(st.data())
def test_pages_repeat_none_and_miss_none_of_those_that_stay(data):
    order = list(range(30))
    shown, offset, behind, came, gone = [], 0, None, 100, set()
    while True:
        offset = start_of(offset, behind, listing(order))
        page = order[offset : offset + 4]
        if not page:
            break
        shown += page
        offset, behind = offset + 4, page[-1]
        for _ in range(data.draw(st.integers(0, 3))):
            if data.draw(st.booleans()):
                order.insert(data.draw(st.integers(0, order.index(behind))), came)
                came += 1
            elif out := [one for one in order if one != behind]:
                gone.add(data.draw(st.sampled_from(out)))
                order = [one for one in order if one not in gone]
    assert len(shown) == len(set(shown))
    assert set(range(30)) - gone <= set(shown)
