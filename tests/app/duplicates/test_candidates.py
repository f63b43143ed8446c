"""Which photo of several is the best, and which may be shots of one burst."""

from datetime import datetime, timedelta

import pytest

from app.duplicates.candidates import BURST_S, burst_apart, burst_rank, candidate, rank, same_length
from app.duplicates.perceptual_hash import Look
from tests.app.duplicates.pictures import photo
from tests.app.search.shelf import record

SHOT = datetime(2021, 7, 4, 10, 11, 12, 250_000)


SHARP, SOFT = Look(0, 9, 2.0), Look(0, 9, 1.0)


@pytest.mark.parametrize("order", [rank, burst_rank])
@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"reachable": True}, {"reachable": False, "pixels": 1000}),
        ({"pixels": 101}, {"look": SHARP}),
        ({"format": "RAW", "pixels": 90}, {"size": 10_000}),
        ({"pixels": 100}, {"format": "RAW", "pixels": 60}),
        ({"format": "PNG"}, {"size": 10_000}),
        ({"format": "HEIF"}, {"size": 10_000}),
        ({"size": 101, "look": SOFT}, {"look": Look(0, 9, 1.05)}),  # as sharp, for all that can be told
        ({"look": SHARP}, {"look": SOFT}),
        ({"path": "/p/zoo/IMG_1.jpg"}, {"path": "/p/a/IMG_1 (1).jpg"}),
        ({"path": "/p/a/IMG_1.jpg"}, {"path": "/p/b/IMG_1.jpg"}),
    ],
)
def test_the_better_one_comes_first(order, better, worse):
    assert order(photo(1, **{"path": "/p/1.jpg", **better})) < order(photo(2, **{"path": "/p/2.jpg", **worse}))


def test_of_a_burst_the_sharpest_and_of_copies_the_least_compressed():
    sharp, large = photo(1, look=SHARP), photo(2, look=SOFT, size=10_000)
    assert burst_rank(sharp) < burst_rank(large)
    assert rank(large) < rank(sharp)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"taken_source": "original"}, 0.25),
        ({"taken_source": "name"}, 0.25),
        ({"taken_source": "file"}, None),
        ({"taken_source": "modified"}, None),
        ({"taken_source": "original", "taken_precision": "month"}, None),
        ({"taken_source": "name", "taken_at": datetime(2021, 7, 4)}, None),  # a day alone
        ({"taken_source": "original", "taken_at": None}, None),
    ],
)
def test_the_shutter_is_known_where_a_date_is_told_to_the_second(known, expected):
    taken_s = candidate(record(1, "/p/1.jpg", SHOT)._replace(**known)).taken_s
    assert (taken_s if taken_s is None else taken_s % 1) == expected


def test_shots_are_seconds_apart_by_their_instants_and_not_by_their_clocks():
    one = record(1, "/p/1.jpg", SHOT)._replace(camera_model="Phone", taken_source="original")
    landed = one._replace(id=2, taken_at=SHOT.replace(hour=3), taken_instant_us=one.taken_instant_us + 3_000_000)
    hours_on = one._replace(id=3, taken_instant_us=one.taken_instant_us + 3_600_000_000)
    assert burst_apart(candidate(one), candidate(landed)) == 3.0
    assert burst_apart(candidate(one), candidate(hours_on)) is None


@pytest.mark.parametrize(("seconds", "apart"), [(0, 0.0), (3, 3.0), (3_000, None)])
def test_shots_of_an_hour_that_clocks_skip_are_apart_by_their_clocks(seconds, apart):
    one = record(1, "/p/1.jpg", SHOT)._replace(camera_model="Old", taken_source="original", taken_offset_min=None)
    later = one._replace(id=2, taken_at=SHOT + timedelta(seconds=seconds))  # of the same instant
    assert burst_apart(candidate(one), candidate(later)) == apart
    told = later._replace(taken_offset_min=60)
    assert burst_apart(candidate(one), candidate(told)) == 0.0, "where one tells its offset, the instant is known"


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ({"taken_s": 5.0}, {"taken_s": 5.0 + BURST_S}, BURST_S),
        ({"taken_s": 5.0}, {"taken_s": 5.5 + BURST_S}, None),
        ({"taken_s": 5.0}, {}, None),
        ({"taken_s": 5.0, "camera": "Canon"}, {"taken_s": 6.0, "camera": "Nikon"}, None),
        ({"taken_s": 5.0, "camera": "Canon"}, {"taken_s": 6.0}, 1.0),
        ({"taken_s": 5.0, "duration_s": 2.0}, {"taken_s": 6.0, "duration_s": 2.0}, None),
    ],
)
def test_shots_of_one_burst_lie_seconds_apart(one, other, apart):
    assert burst_apart(photo(1, **one), photo(2, **other)) == burst_apart(photo(2, **other), photo(1, **one)) == apart


def test_a_video_is_no_photo_and_lasts_as_long_as_its_copy():
    def length(one, other):
        return same_length(photo(1, duration_s=one), photo(2, duration_s=other))

    assert length(None, None)
    assert not length(None, 3.0)
    assert length(3.0, 3.9)
    assert not length(3.0, 4.1)
    assert length(600.0, 611.0)
