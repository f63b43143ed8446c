"""The time of a GPS receiver beside the camera's own: when it is believed, and what it says of the zone."""

from datetime import datetime, timedelta

import pytest

from indexer.metadata.dates import Taken
from indexer.metadata.gps_time import compared, is_believable

LOCAL, UTC = datetime(2019, 2, 25, 4, 19, 21), datetime(2019, 2, 25, 1, 19, 20)


@pytest.mark.parametrize(
    ("gps", "others", "believed"),
    [
        (UTC, (), True),
        (UTC, (LOCAL, None), True),
        (UTC, (LOCAL + timedelta(days=300),), True),
        (datetime(2001, 1, 1), (), False),
        (datetime(1980, 1, 6), (), False),
        (datetime(1980, 1, 6, 0, 0, 13), (), False),  # it goes on from zero until there is a fix
        (datetime(1980, 1, 6, 9, 30), (datetime(1980, 1, 6, 10, 30),), False),
        (datetime(1980, 1, 7), (), True),
        (datetime(1999, 8, 22), (), False),
        (datetime(2001, 1, 1, 0, 0, 1), (), True),
        (datetime(1970, 1, 1, 5), (), False),
        (datetime(2000, 3, 19, 10, 11, 12), (datetime(2019, 11, 3, 10, 11, 12),), False),
        (datetime(1980, 8, 3, 10, 11, 12), (datetime(2019, 11, 3, 22, 11, 12),), False),
        (datetime(2000, 3, 16, 10, 11, 12), (datetime(2019, 11, 3, 10, 11, 12),), True),
    ],
)
def test_a_receiver_without_a_fix_or_with_turned_weeks_is_not_believed(gps, others, believed):
    assert is_believable(gps, *others) is believed


@pytest.mark.parametrize(
    ("local", "gps", "expected"),
    [
        (Taken(LOCAL, None, "original"), UTC, Taken(LOCAL, 180, "original")),
        (Taken(LOCAL, 120, "original"), UTC, Taken(LOCAL, 180, "original")),  # that of a computer, say
        (Taken(LOCAL, 120, "original"), UTC - timedelta(hours=20), Taken(LOCAL, 120, "original")),
        (Taken(LOCAL, None, "name"), UTC - timedelta(hours=8), Taken(LOCAL, 660, "name")),
        (Taken(LOCAL, None, "original"), UTC + timedelta(minutes=7), Taken(LOCAL, None, "original")),
        (Taken(LOCAL, None, "original"), UTC - timedelta(days=2), Taken(LOCAL, None, "original")),
        (Taken(LOCAL, None, "original"), None, Taken(LOCAL, None, "original")),
        (Taken(datetime(2019, 2, 25), None, "name"), UTC, Taken(UTC, 0, "gps")),
        (Taken(datetime(2019, 2, 25), None, "iptc"), UTC, Taken(datetime(2019, 2, 25), None, "iptc")),
        (Taken(datetime(2019, 2, 1), None, "xmp", "month"), UTC, Taken(datetime(2019, 2, 1), None, "xmp", "month")),
        (Taken(datetime(2019, 2, 1), None, "name", "month"), UTC, Taken(UTC, 0, "gps")),
        (Taken(datetime(2019, 1, 1), None, "name", "year"), UTC, Taken(UTC, 0, "gps")),
        (Taken(datetime(1993, 2, 1), None, "name", "month"), UTC, Taken(datetime(1993, 2, 1), None, "name", "month")),
        (Taken(), UTC, Taken()),
    ],
)
def test_the_local_clock_stays_and_gets_its_offset(local, gps, expected):
    assert compared(local, gps) == expected
