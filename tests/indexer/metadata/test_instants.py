"""Instants out of what clocks showed, and the zone of this computer."""

import itertools
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from indexer.metadata import instants
from indexer.metadata.instants import instant_us, local_zone_name, zone_named

BERLIN, TOKYO, LIMA = (ZoneInfo(name) for name in ("Europe/Berlin", "Asia/Tokyo", "America/Lima"))
HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("at", "offset_min", "utc"),
    [
        (datetime(2024, 5, 6, 10), 540, datetime(2024, 5, 6, 1)),
        (datetime(2024, 5, 6, 8), 0, datetime(2024, 5, 6, 8)),
        (datetime(2024, 5, 6, 23, 0, 0, 1), -330, datetime(2024, 5, 7, 4, 30, 0, 1)),
        (datetime(2024, 1, 6, 10), None, datetime(2024, 1, 6, 9)),  # Berlin's winter
        (datetime(2024, 7, 6, 10), None, datetime(2024, 7, 6, 8)),  # and its summer
        (datetime(2024, 10, 27, 2, 30), None, datetime(2024, 10, 27, 0, 30)),  # shown twice: the first
        (datetime(2024, 3, 31, 1, 59, 59), None, datetime(2024, 3, 31, 0, 59, 59)),
        (datetime(2024, 3, 31, 2), None, datetime(2024, 3, 31, 1)),  # skipped: the instant of the skip, all of it
        (datetime(2024, 3, 31, 2, 30, 0, 7), None, datetime(2024, 3, 31, 1)),
        (datetime(2024, 3, 31, 2, 59, 59, 999_999), None, datetime(2024, 3, 31, 1)),
        (datetime(2024, 3, 31, 3), None, datetime(2024, 3, 31, 1)),
        (datetime(1969, 12, 31, 23), 0, datetime(1969, 12, 31, 23)),
    ],
)
def test_a_clock_tells_the_instant_by_its_own_offset_and_else_in_the_zone(at, offset_min, utc):
    assert instant_us(at, offset_min, BERLIN) == round(utc.replace(tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        *((BERLIN, datetime(2024, month, day)) for month, day in ((3, 31), (10, 27))),
        (ZoneInfo("Australia/Lord_Howe"), datetime(2024, 10, 6)),  # half an hour
        (ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30)),  # a day that was none
        (ZoneInfo("America/St_Johns"), datetime(2006, 4, 2)),  # a minute after midnight
        (BERLIN, datetime(9998, 3, 29)),
    ],
)
def test_a_clock_that_goes_on_never_goes_back_in_time(zone, day):
    """As that of a camera that knows nothing of summer."""
    clocks = [day + timedelta(seconds=at * 449.75) for at in range(-200, 400)]
    found = [instant_us(clock, None, zone) for clock in clocks]
    assert found == sorted(found)
    told = [instant_us(clock, 0, zone) for clock in clocks]
    assert [b - a for a, b in itertools.pairwise(told)] == [449_750_000] * 599


@pytest.mark.parametrize("zone", [UTC, BERLIN, TOKYO, LIMA, timezone(timedelta(hours=-12))])
@pytest.mark.parametrize("offset_min", [None, -720, 840])
def test_the_first_and_the_last_year_have_instants(zone, offset_min):
    first, last = instant_us(datetime.min, offset_min, zone), instant_us(datetime.max, offset_min, zone)
    assert first < instant_us(datetime(1, 1, 2), offset_min, zone) < instant_us(datetime(9999, 12, 31), 0, zone)
    assert instant_us(datetime(9999, 12, 31), offset_min, zone) < last
    assert -(2**63) < first < last < 2**63


def test_before_year_1_and_after_9999_the_order_goes_on():
    assert instant_us(datetime.min, 0, UTC) - instant_us(datetime.min, 60, UTC) == HOUR_US
    assert instant_us(datetime.max, -60, UTC) - instant_us(datetime.max, 0, UTC) == HOUR_US


@pytest.fixture
def system(monkeypatch, tmp_path):
    """The link and the note that name the system's zone: a folder that holds neither yet, and no TZ."""
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(instants, "_LINK", str(tmp_path / "localtime"))
    monkeypatch.setattr(instants, "_NOTE", str(tmp_path / "timezone"))
    return tmp_path


def link(folder, zone):
    folder.joinpath("localtime").symlink_to(folder / "zoneinfo" / zone)
    return folder / "localtime"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        *[(zone, "Asia/Tokyo") for zone in ("Asia/Tokyo", ":Asia/Tokyo", "posix/Asia/Tokyo", "right/Asia/Tokyo")],
        ("/usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"),
        *[(nothing, "UTC") for nothing in ("", ":", "UTC", "UTC0", "UTC+0", "UTC-00")],
        ("GMT0", "GMT0"),
        *[(rule, "America/Lima") for rule in ("CET-1CEST,M3.5.0,M10.5.0", "<+0530>-5:30")],
        *[(strange, "America/Lima") for strange in ("../../etc", "Europe", "a\udcffb", "/etc", "Mars/Olympus")],
        *[(own, "America/Lima") for own in ("localtime", "posixrules", "Factory", "/usr/share/zoneinfo/Factory")],
    ],
)
def test_the_zone_is_that_of_tz_if_it_names_one_and_else_the_systems(monkeypatch, system, told, name):
    link(system, "America/Lima")
    monkeypatch.setenv("TZ", told)
    assert local_zone_name() == name


@pytest.mark.parametrize("colon", ["", ":"])
def test_a_path_in_tz_is_followed_to_the_zone(monkeypatch, system, colon):
    other = system / "other"
    other.mkdir()
    link(system, "America/Lima")
    monkeypatch.setenv("TZ", f"{colon}{link(other, 'Asia/Tokyo')}")
    assert local_zone_name() == "Asia/Tokyo"


def test_without_tz_the_zone_is_the_systems(system):
    note = system / "timezone"
    assert local_zone_name() == "UTC"
    for nothing in (b"\xff\n", b"localtime\n", b"Factory"):
        note.write_bytes(nothing)
        assert local_zone_name() == "UTC"
    note.write_text("America/Lima\n", encoding="utf-8")
    (system / "localtime").write_bytes(b"a copy, which has no name")
    assert local_zone_name() == "America/Lima"
    (system / "localtime").unlink()
    link(system, "Asia/Tokyo")
    assert local_zone_name() == "Asia/Tokyo"


def test_a_zone_that_is_not_known_here_is_utc():
    assert zone_named("Asia/Tokyo") is TOKYO
    assert {zone_named(name) for name in (None, "", "Mars/Olympus", "../etc", "localtime", "Factory", b"UTC")} == {UTC}
