"""Whether the time of a GPS receiver is to be believed, and what it says of the camera's own clock. Pure.

A receiver counts weeks in ten bits: one that has not noticed the turn is 1,024 weeks, or a multiple, behind. One that
has no fix shows where its clock starts.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from indexer.metadata.dates import Precision, Taken, is_sound

_TURN_DAYS = 1024 * 7
_FIRST = date(1980, 1, 6)  # of all weeks: no camera had a receiver then
_TURNS = frozenset((date(1999, 8, 22), date(2019, 4, 7)))
_DAY = timedelta(days=1)
_WEST, _EAST = timedelta(hours=-12), timedelta(hours=14)
_SLACK = timedelta(minutes=5)  # that a camera's clock may be wrong


def is_believable(gps: datetime, *others: datetime | None) -> bool:
    """Whether a receiver had a fix, and its weeks have not turned, as far as other dates of the photo tell."""
    is_zero = gps.time() == datetime.min.time() and ((gps.month, gps.day) == (1, 1) or gps.date() in _TURNS)
    if is_zero or gps.date() == _FIRST or not is_sound(gps):
        return False
    return not any(_has_turned(gps, other) for other in others if other)


def compared(local: Taken, gps: datetime | None) -> Taken:
    """The camera's clock with the offset that a receiver gives it, where the two agree to within a day.

    Args:
        local: what is believed without the receiver, and stays, unless it is the day, month or year in a file's name.
        gps: the receiver's moment, in UTC.
    """
    if gps is None or local.at is None or not is_believable(gps):
        return local
    if local.precision:
        return Taken(gps, 0, "gps") if local.source == "name" and _is_within(gps, local.at, local.precision) else local
    if abs(local.at - gps) > _DAY:
        return local
    if local.at.time() == datetime.min.time():  # no clock to compare
        return Taken(gps, 0, "gps") if local.source == "name" else local
    behind = local.at - gps
    zone = timedelta(minutes=15 * round(behind / timedelta(minutes=15)))
    is_zone = _WEST <= zone <= _EAST and abs(behind - zone) < _SLACK
    return local._replace(offset_min=zone // timedelta(minutes=1)) if is_zone else local


def _is_within(gps: datetime, start: datetime, precision: Precision) -> bool:
    return gps.year == start.year and (precision == "year" or gps.month == start.month)


def _has_turned(gps: datetime, other: datetime) -> bool:
    turns = round((other - gps) / timedelta(days=_TURN_DAYS))
    return turns != 0 and abs(other - gps - timedelta(days=turns * _TURN_DAYS)) <= _DAY
