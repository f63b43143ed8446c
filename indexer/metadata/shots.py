"""What two files say of when and with what they were shot, and whether that can be one shot, or one live photo. Pure.

Names come again, since cameras count to 9,999: a RAW and a picture of one name need not belong together.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from indexer.metadata.dates import Taken
from indexer.metadata.photo_metadata import PhotoMetadata

_OF_THE_SHOT = frozenset(("original", "digitized", "iptc", "sidecar", "xmp"))
"""The fields that tell when a photo was taken; the others tell when a file, a receiver or a person came to it."""
OWN_SOURCES = frozenset(("original", "digitized", "container", "modified"))
"""Those of them that a file says itself, whatever its name, and the files beside it, say."""
_DAY = timedelta(days=1)
LONGEST_S = 10  # of a live photo's film: phones film three seconds
_FILM = timedelta(seconds=10)  # between a live photo's still and what its film says
_ZONE, _ZONES = timedelta(minutes=15), timedelta(hours=14, seconds=10)  # zones differ by quarters of an hour


class Shot(NamedTuple):
    """When a photo was taken, as the field that is believed first has it, and the camera; None for what is not said.

    `length_s` is a video's length in seconds.
    """

    taken: Taken = Taken()
    make: str | None = None
    model: str | None = None
    length_s: float | None = None


def shot_of(said: PhotoMetadata, length_s: float | None = None) -> Shot:
    """The part of a photo's metadata that tells its shot from others; with a video's length in seconds."""
    taken = Taken(said.taken_at, said.taken_offset_min, said.taken_source, said.taken_precision)
    return Shot(taken, said.camera_make, said.camera_model, length_s)


def agree(one: Shot, other: Shot) -> bool:
    """Whether two files can show one shot: what both say is the same; what only one says, or neither, is no matter."""
    return _same_camera(one, other) and _same_moment(one.taken, other.taken)


def agree_in_motion(still: Shot, film: Shot) -> bool:
    """Whether two files can be a live photo: a short film, one camera, and a moment that is the same but for seconds.

    A container's own time is UTC by its definition, and of many cameras the clock's: where the still knows no zone, it
    may be any zone's. A still that names its last change alone was not changed before it was filmed.
    """
    one, other = still.taken, film.taken
    if (film.length_s or 0) > LONGEST_S or not _same_camera(still, film):
        return False
    if one.at is None or other.at is None or "file" in (one.source, other.source):
        return True
    if one.source == "modified":
        return bool(one.precision or other.precision) or one.at >= other.at - _DAY
    if one.precision or other.precision or _is_a_day(one.at) or _is_a_day(other.at):
        return _same_moment(one, other)
    apart = [one.at - other.at, _in_utc(one.at, one.offset_min) - _in_utc(other.at, other.offset_min)]
    if min(map(abs, apart)) <= _FILM:
        return True
    of_any_zone = one.offset_min is None and other.source == "container" and abs(apart[0]) <= _ZONES
    return of_any_zone and abs(apart[0] - round(apart[0] / _ZONE) * _ZONE) <= _FILM


def says_when(shot: Shot) -> bool:
    """Whether a file says of itself when it was taken."""
    return shot.taken.at is not None and shot.taken.source in (*_OF_THE_SHOT, "container")


def _same_camera(one: Shot, other: Shot) -> bool:
    """The same model, be the make in front of it or not; without one the first word of the make: its end varies."""
    if one.model and other.model:
        ours, theirs = _plain(one.model), _plain(other.model)
        return ours == theirs or ours.endswith(f" {theirs}") or theirs.endswith(f" {ours}")
    if one.make and other.make:
        return _plain(one.make).split()[:1] == _plain(other.make).split()[:1]
    return True


def _same_moment(one: Taken, other: Taken) -> bool:
    """The same second, as far as both know it; fractions are left out, which some programs cut and others round."""
    if one.at is None or other.at is None:
        return True
    if one.source not in _OF_THE_SHOT or other.source not in _OF_THE_SHOT:
        return _in_order(one, other) and _in_order(other, one)
    if one.precision or other.precision:
        by_month = "year" not in (one.precision, other.precision)
        return one.at.year == other.at.year and (one.at.month == other.at.month or not by_month)
    if _is_a_day(one.at) or _is_a_day(other.at):
        return one.at.date() == other.at.date()
    ours, theirs = one.at.replace(microsecond=0), other.at.replace(microsecond=0)
    if ours == theirs:  # a zone that is wrong, or known to one of them alone, is no other moment
        return True
    if one.offset_min is None and other.offset_min is None:
        return False
    return _in_utc(ours, one.offset_min) == _in_utc(theirs, other.offset_min)  # one without a zone may show UTC


def _in_order(changed: Taken, shot: Taken) -> bool:
    """Whether a file that names the time of its last change alone can be of a shot: nothing is changed before that."""
    if changed.source != "modified" or shot.source not in _OF_THE_SHOT or changed.at is None or shot.at is None:
        return True
    return bool(changed.precision or shot.precision) or changed.at >= shot.at - _DAY


def _is_a_day(moment: datetime) -> bool:
    """Whether no time of the day is known, as of a day without a clock."""
    return moment.time() == datetime.min.time()


def _in_utc(moment: datetime, offset_min: int | None) -> datetime:
    return moment - timedelta(minutes=offset_min or 0)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
