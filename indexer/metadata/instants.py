"""When photos were taken as points in time, out of what cameras' clocks showed, and the zone that this computer is in.

Nothing is guessed from other photos.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_LINK, _NOTE = "/etc/localtime", "/etc/timezone"
_NO_NAMES = frozenset(("localtime", "posixrules", "Factory"))  # lie beside the zones, and are another one elsewhere
_SAYS_UTC = frozenset(("", "UTC"))


def instant_us(at: datetime, offset_min: int | None, zone: tzinfo) -> int:
    """The microseconds from 1970 in UTC, negative before; any date from year 1 to 9999 has one.

    An hour that a zone's clocks show twice is the first one; all of one that they skip is the instant at which they do,
    so that a camera whose clock just goes on never goes back.

    Args:
        at: what the camera's clock showed.
        offset_min: minutes that it was ahead of UTC, None where nobody knows.
        zone: where it then counts as taken.
    """
    clock = at.replace(tzinfo=None, fold=0)
    if offset_min is not None:
        return _since_epoch(clock, timedelta(minutes=offset_min))
    before, after = _ahead(clock, zone), _ahead(clock.replace(fold=1), zone)
    if before < after:  # what clocks skip (PEP 495)
        return _since_epoch(_skip(clock, before, after, zone), timedelta())
    return _since_epoch(clock, before)


def _since_epoch(clock: datetime, ahead: timedelta) -> int:
    return (clock - _EPOCH - ahead) // _MICROSECOND  # as a difference: UTC may be before year 1


def _ahead(clock: datetime, zone: tzinfo) -> timedelta:
    return clock.replace(tzinfo=zone).utcoffset() or timedelta()


def _skip(clock: datetime, before: timedelta, after: timedelta, zone: tzinfo) -> datetime:
    """The moment in UTC, a whole second, at which a zone's clocks go forward past `clock`."""
    first = (clock - after).replace(microsecond=0)

    def is_past(second: int) -> bool:
        return zone.fromutc((first + timedelta(seconds=second)).replace(tzinfo=zone)).utcoffset() != before

    return first + timedelta(seconds=bisect_left(range(int((after - before).total_seconds())), True, key=is_past))


def zone_named(name: str | None) -> tzinfo:
    """The zone of an IANA name; UTC where this computer knows none of that name."""
    return _known(name or "") or UTC


def local_zone_name() -> str:
    """The IANA name of this computer's zone, of TZ or else of the system; "UTC" where neither names one.

    A path in TZ, or one that leads to another, counts as the zone that it ends at. A rule ("CET-1CEST") names none: the
    system's name is likelier to be where its owner is than UTC. An empty TZ, or "UTC0", is UTC, as for all programs.
    """
    told = os.environ.get("TZ", _LINK).removeprefix(":")
    if told.rstrip("+-0") in _SAYS_UTC:
        return "UTC"
    for place in (told, os.path.realpath(Path("/", told)), os.path.realpath(_LINK), _noted()):
        name = place.rpartition("zoneinfo/")[2].removeprefix("posix/").removeprefix("right/")
        if _known(name) is not None:
            return name
    return "UTC"


def _noted() -> str:
    try:
        return Path(_NOTE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _known(name: str) -> ZoneInfo | None:
    try:
        return None if name in _NO_NAMES else ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError):  # unknown, no name at all, a folder of names, bytes
        return None
