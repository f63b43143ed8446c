"""Dates: which moments are sound, which field is believed, and what the names of files say."""

import os
import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.metadata.dates import Taken, first_sound, is_sound, of_file_time, of_name

NOW = datetime(2027, 1, 1)
MOMENT = datetime(2021, 7, 4, 10, 11, 12)
DAY = datetime(2021, 7, 4)


@pytest.mark.parametrize(
    ("moment", "sound"),
    [
        (datetime(1839, 8, 19), True),
        (datetime(1825, 12, 31), False),
        (datetime(1904, 1, 1, 5), False),
        (datetime(1970, 1, 1), False),
        (datetime(1969, 12, 31, 19), False),
        (datetime(1970, 1, 2), True),
        (datetime(1980, 1, 1), False),
        (datetime(1980, 1, 1, 0, 0, 1), True),
        (datetime(2027, 1, 1, 23), True),
        (datetime(2027, 1, 2, 1), False),
    ],
)
def test_clocks_that_were_never_set_and_the_future_are_unsound(moment, sound):
    assert is_sound(moment, NOW) is sound


def test_a_clock_that_lost_its_battery_does_not_unmake_every_date():
    assert is_sound(datetime(2026, 1, 1), now=datetime(1970, 1, 1))


def test_the_first_sound_date_is_taken_with_its_offset_and_source():
    reset, good = Taken(datetime(1970, 1, 1), 60, "original"), Taken(MOMENT, None, "digitized")
    assert first_sound([Taken(), reset, good, Taken(DAY, 0, "gps")]) == good
    assert first_sound([reset]) == Taken()


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("IMG_20210704_101112.jpg", MOMENT),
        ("IMG_20210704_101112_1.jpg", MOMENT),
        ("IMG20210704101112.jpg", MOMENT),
        ("VID_20210704_101112.mp4", MOMENT),
        ("MVIMG_20210704_101112.jpg", MOMENT),
        ("20210704_101112.heic", MOMENT),
        ("20210704_101112(0).jpg", MOMENT),
        ("DJI_20210704101112_0001_D.JPG", MOMENT),
        ("WP_20210704_10_11_12_Pro.jpg", MOMENT),
        ("Screenshot_2021-07-04-10-11-12.png", MOMENT),
        ("Screenshot_20210704-101112_Maps.png", MOMENT),
        ("Screenshot 2021-07-04 at 10.11.12.png", MOMENT),
        ("Screenshot 2021-07-04 at 10.11.12\u202fPM.png", datetime(2021, 7, 4, 22, 11, 12)),
        ("WhatsApp Image 2021-07-04 at 12.11.12 AM.jpeg", datetime(2021, 7, 4, 0, 11, 12)),
        ("2021-07-04 10.11.12.jpg", MOMENT),
        ("photo_2021-07-04_10-11-12.jpg", MOMENT),
        ("signal-2021-07-04-101112.jpg", MOMENT),
        ("signal-2021-07-04-10-11-12-123.jpg", MOMENT),
        ("IMG-20210704-WA0001.jpg", DAY),
        ("2021-07-04.jpg", DAY),
        ("birthday 1975-07-04 aunt.tif", datetime(1975, 7, 4)),
        ("20210704_996099.jpg", DAY),
        ("IMG_2041.jpg", None),
        ("DSC01234.JPG", None),
        ("20211304_101112.jpg", None),
        ("2021-07-04 10.11.75.jpg", datetime(2021, 7, 4, 10, 11)),
        ("2048-11-11 wallpaper of 2021-07-04.jpg", DAY),
        ("FB_IMG_1625393472000.jpg", None),
        ("120210704101112.jpg", None),
        ("18990704_101112.jpg", None),
        ("٢٠٢١-٠٧-٠٤.jpg", None),
    ],
)
def test_what_names_say(name, moment):
    assert of_name(name) == (Taken(moment, None, "name") if moment else Taken())


@pytest.mark.parametrize(
    ("name", "moment", "precision"),
    [
        ("1993-08-00 Oma.jpg", datetime(1993, 8, 1), "month"),
        ("1993-08-xx Oma.jpg", datetime(1993, 8, 1), "month"),
        ("scan 1993-08-__ (2).tif", datetime(1993, 8, 1), "month"),
        ("1993_08_??.png", datetime(1993, 8, 1), "month"),
        ("1993-08.jpg", datetime(1993, 8, 1), "month"),
        ("1993-08 Sommer 12.jpg", datetime(1993, 8, 1), "month"),
        ("19930800_000000.jpg", datetime(1993, 8, 1), "month"),
        ("2021-02-30.jpg", datetime(2021, 2, 1), "month"),
        ("20210230_101112.jpg", datetime(2021, 2, 1), "month"),
        ("1993-00-00.jpg", datetime(1993, 1, 1), "year"),
        ("1993-XX-XX Oma.jpg", datetime(1993, 1, 1), "year"),
        ("19930000.tif", datetime(1993, 1, 1), "year"),
        ("2021-13-04.jpg", datetime(2021, 1, 1), "year"),
        ("1993.jpg", None, None),
        ("1920-1080.jpg", None, None),
        ("12-2012-07.jpg", None, None),
        ("20210099.jpg", None, None),
        ("2048-11 wallpaper.jpg", None, None),
    ],
)
def test_names_say_as_much_as_is_known(name, moment, precision):
    assert of_name(name) == (Taken(moment, None, "name", precision) if moment else Taken())


def test_a_pixels_names_are_in_utc_and_so_is_what_says_so():
    assert of_name("PXL_20210704_101112345.MP.jpg") == Taken(MOMENT, 0, "name")
    assert of_name("20210704T101112Z.jpg") == Taken(MOMENT, 0, "name")
    assert of_name("20210704_101112Zoom.jpg") == Taken(MOMENT, None, "name")


@given(st.text(max_size=80))
def test_any_name_is_read(name):
    assert isinstance(of_name(name), Taken)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2026, 1, 1)).map(lambda moment: moment.replace(microsecond=0)))
def test_every_moment_comes_back_out_of_a_name(moment):
    for pattern in ("IMG_%Y%m%d_%H%M%S.jpg", "Screenshot_%Y-%m-%d-%H-%M-%S.png", "%Y-%m-%d %H.%M.%S.jpg"):
        assert of_name(moment.strftime(pattern)).at == moment


def test_a_files_time_is_on_this_machines_clock():
    old = os.environ.get("TZ")
    try:
        os.environ["TZ"] = "Asia/Kolkata"
        time.tzset()
        assert of_file_time(1_625_393_472_999_999_999) == Taken(datetime(2021, 7, 4, 15, 41, 12), 330, "file")
    finally:
        os.environ.pop("TZ") if old is None else os.environ.update(TZ=old)
        time.tzset()
    assert of_file_time(2**62) != Taken()
    assert of_file_time(-(2**63)).at is None or of_file_time(-(2**63)).at.year < 1826
