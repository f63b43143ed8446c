"""Instants out of what clocks showed, and the zone of this computer."""

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
        (datetime(2024, 3, 31, 2, 30), None, datetime(2024, 3, 31, 1, 30)),  # skipped: as if it had not been yet
        (datetime(1969, 12, 31, 23), 0, datetime(1969, 12, 31, 23)),
    ],
)
def test_a_clock_tells_the_instant_by_its_own_offset_and_else_in_the_zone(at, offset_min, utc):
    assert instant_us(at, offset_min, BERLIN) == round(utc.replace(tzinfo=UTC).timestamp() * 1_000_000)


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


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Asia/Tokyo", "Asia/Tokyo"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("/usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"),
        *[(strange, "UTC") for strange in ("", "CET-1CEST,M3.5.0,M10.5.0", "../../etc", "Europe", "a\udcffb", "/etc")],
    ],
)
def test_the_zone_is_that_of_tz_if_it_names_one(monkeypatch, told, name):
    monkeypatch.setenv("TZ", told)
    assert local_zone_name() == name


def test_without_tz_the_zone_is_the_systems(monkeypatch, tmp_path):
    monkeypatch.delenv("TZ", raising=False)
    link, note = tmp_path / "localtime", tmp_path / "timezone"
    monkeypatch.setattr(instants, "_LINK", str(link))
    monkeypatch.setattr(instants, "_NOTE", str(note))
    assert local_zone_name() == "UTC"
    note.write_bytes(b"\xff\n")
    assert local_zone_name() == "UTC"
    note.write_text("America/Lima\n", encoding="utf-8")
    link.write_bytes(b"a copy, which has no name")
    assert local_zone_name() == "America/Lima"
    link.unlink()
    link.symlink_to(tmp_path / "zoneinfo" / "Asia" / "Tokyo")
    assert local_zone_name() == "Asia/Tokyo"


def test_a_zone_that_is_not_known_here_is_utc():
    assert zone_named("Asia/Tokyo") is TOKYO
    assert {zone_named(name) for name in (None, "", "Mars/Olympus", "../etc")} == {UTC}
