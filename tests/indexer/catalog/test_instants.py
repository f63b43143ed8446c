"""Photos by the instants at which they were taken."""

from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.instants import by_instant

HOUR = 3_600_000


def order(*photos):
    """Ids in the order that is given, of (id, hours on the clock, hours ahead of UTC)."""
    rows = [(number, at * HOUR, None if ahead is None else ahead * 60) for number, at, ahead in photos]
    return list(by_instant(sorted(rows, key=lambda row: (-row[1], -row[0]))))


def test_the_instant_counts_and_not_the_hour_that_a_clock_shows():
    assert order((1, 10, 9), (2, 9, 0), (3, 8, -5)) == [3, 2, 1]  # at 1, 9 and 13 hours UTC
    assert order((1, 10, 2), (2, 10, 1), (3, 9, 1)) == [2, 1, 3]  # 1 and 3 are one instant
    assert order((1, 0, 14), (2, -25, -12)) == [2, 1]  # as far apart as two clocks can be


def test_without_a_zone_that_of_the_one_before_holds_for_a_week():
    tokyo = [(1, 10, 9), (2, 11, None), (3, 12, 9)]
    assert order(*tokyo) == [3, 2, 1]
    assert order(*tokyo, (4, 4, 0)) == [4, 3, 2, 1]  # at 4 hours UTC, where the camera's clock meant 2
    week = 7 * 24
    assert order((1, 0, 9), (2, week, None), (3, week + 1, 3)) == [3, 2, 1]
    assert order((1, 0, 9), (2, week + 1, None), (3, week + 2, 3)) == [2, 3, 1]  # too long ago: as UTC
    assert order((5, 10, None), (6, 10, None), (7, 11, None)) == [7, 6, 5]


def test_those_without_a_date_come_last():
    rows = [(4, 5 * HOUR, None), (9, 4 * HOUR, 60), (8, None, None), (2, None, 60)]
    assert list(by_instant(rows)) == [4, 9, 8, 2]
    assert list(by_instant([])) == []


def test_it_reads_no_further_than_a_zone_can_reach():
    read = []

    def rows():
        for day in range(1000, 0, -1):
            read.append(day)
            yield day, day * 24 * HOUR, 60

    found = by_instant(rows())
    assert [next(found) for _ in range(3)] == [1000, 999, 998]
    assert len(read) < 10


zones = st.none() | st.integers(-48, 56).map(lambda quarters: quarters * 15)
clocks = st.lists(st.tuples(st.integers(0, 24 * 30), zones), max_size=60)


@given(clocks)
def test_the_order_is_that_of_all_instants_together(clocks):
    newest = sorted(enumerate(clocks), key=lambda photo: (-photo[1][0], -photo[0]))
    instants, zone = {}, None
    for number, (hours, ahead) in reversed(newest):
        if ahead is not None:
            zone = hours, ahead
        known = zone is not None and hours - zone[0] <= 7 * 24
        instants[number] = hours * 60 - (zone[1] if known else 0)
    rows = [(number, hours * HOUR, ahead) for number, (hours, ahead) in newest]
    expected = sorted(rows, key=lambda row: -instants[row[0]])
    assert list(by_instant(rows)) == [number for number, *_ in expected]
