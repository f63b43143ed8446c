"""Dates of photos: how they are written, which are sound, and which field is believed first. Pure but for one clock."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

Precision = Literal["month", "year"]
FIRST_YEAR, LAST_YEAR = 1826, 2100  # from the oldest photograph on
SOURCES = ("original", "digitized", "iptc", "sidecar", "xmp", "name", "gps", "container", "modified", "file")
RANK = {source: rank for rank, source in enumerate(SOURCES)}
"""The fields a date may come from, the most trusted first: 0, 1, ..."""

_WRITTEN = datetime(2026, 11, 1)  # when this was written: a clock that shows less has lost its battery
_RESETS = frozenset((date(1904, 1, 1), date(1903, 12, 31), date(1970, 1, 1), date(1969, 12, 31)))
"""Where clocks start that were never set: the epochs of Macintosh and Unix, and what time zones make of them."""
_DOS_EPOCH = datetime(1980, 1, 1)

_DAY = re.compile(r"(\d{4})(?:[:\-/.]([ \d]{0,2})(?:[:\-/.]([ \d]{0,2}))?)?", re.ASCII)
_UNNAMED = re.compile(r"(?!\d)[\dxX?_*:/. T\-]*", re.ASCII)  # where it is no number, what stands for one
_CLOCK = re.compile(r"[ T]+([ \d]{1,2}):([ \d]{1,2})(?::([ \d]{1,2})(?:[.,](\d+))?)?(\s*[AaPp][Mm]\b)?", re.ASCII)
_ZONE = re.compile(r"\s*(Z|[+-]\d{2}(?::?\d{2})?(?!\d))", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d{2})(?::?(\d{2}))?", re.ASCII)

_TIME = (
    r"(?P<h>\d\d)(?P<s>[-_.:]?)(?P<m>\d\d)(?P=s)(?P<sec>\d\d)(?:[-_.:]?\d{1,6})?(?P<half>[ \u00a0\u202f]?[AaPp][Mm])?"
    r"(?P<z>Z(?![A-Za-z\d]))?"
)
_UNKNOWN = r"xx|XX|\?\?|__|  "  # in place of a month or a day
_IN_NAME = (
    # 20210704_101112, IMG20210704101112, PXL_20210704_101112345, 20210700; only since there are digital cameras, and
    # nothing that is no month or no day: eight digits are more often the number of something
    re.compile(
        rf"(?<!\d)(?P<y>199\d|20\d\d)(?:(?P<mon>0[1-9]|1[0-2])(?P<d>[0-2]\d|3[01])|0000)(?:[-_ T]?{_TIME})?(?!\d)",
        re.ASCII,
    ),
    # 2021-07-04 10.11.12, Screenshot_2021-07-04-10-11-12, 2021-07-04 at 10.11.12 AM, 1993-08-00, 1993-xx-xx
    re.compile(
        rf"(?<!\d)(?P<y>1[89]\d\d|20\d\d)(?P<p>[-_.])(?P<mon>\d\d|{_UNKNOWN})(?P=p)(?P<d>\d\d|{_UNKNOWN})"
        rf"(?:(?:[-_ T.]| at )+{_TIME})?(?!\d)",
        re.ASCII,
    ),
    # 1993-08; not a year alone, which may be any number
    re.compile(r"(?<!\d)(?<!\d[-_.])(?P<y>1[89]\d\d|20\d\d)-(?P<mon>0[1-9]|1[0-2])(?![-_.]?\d)", re.ASCII),
)


class Taken(NamedTuple):
    """A moment on the camera's clock, minutes that this clock is ahead of UTC, and the field that says so.

    `precision` is "month" or "year" where no more than that is known; then `at` is its first moment.
    """

    at: datetime | None = None
    offset_min: int | None = None
    source: str | None = None
    precision: Precision | None = None


def first_sound(candidates: Iterable[Taken]) -> Taken:
    """The first that is a moment in which a photo can have been taken, or nothing."""
    return next((taken for taken in candidates if taken.at is not None and _can_be(taken, taken.at)), Taken())


def is_sound(moment: datetime, now: datetime | None = None) -> bool:
    """Whether a photo can have been taken then: not in the future, and not where a clock starts that was not set."""
    return is_past(moment, now) and moment.date() not in _RESETS and moment != _DOS_EPOCH


def is_past(moment: datetime, now: datetime | None = None) -> bool:
    """Whether there was photography by then, and it is not in the future."""
    latest = max(now or datetime.now(), _WRITTEN) + timedelta(days=1)  # other time zones are ahead of ours
    return moment.year >= FIRST_YEAR and moment <= latest


def _can_be(taken: Taken, moment: datetime) -> bool:
    return is_past(moment) if taken.precision else is_sound(moment)  # no clock starts with a year alone


def parse_date(text: str, subseconds: str = "") -> tuple[datetime | None, int | None]:
    """A moment of which at least the day is known, and the offset in minutes where the same text holds one.

    Args:
        text: as `read_date()` takes it.
        subseconds: likewise.

    Returns:
        (None, None) for anything else.
    """
    taken = read_date(text, subseconds)
    return (None, None) if taken.precision else taken[:2]


def read_date(text: str, subseconds: str = "", source: str | None = None) -> Taken:
    """A date as EXIF, IPTC and XMP write it, as far as it is known and sound: at least its year.

    What is not known may be blank, 00 or missing, and what cannot be true counts as not known: the parts before it
    stand.

    Args:
        text: "2021:06:30 12:34:56", with a few neighbours that cameras, phones and people write.
        subseconds: the digits behind the second, where a field of its own holds them.
        source: the field that it is from.
    """
    text = text.strip()
    found = _DAY.match(text)
    if found is None or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        return Taken()
    behind = text[found.end() :]
    if found[3] is None and behind.strip() and (found[2] is None or not _UNNAMED.fullmatch(behind)):  # words
        return Taken()
    year, month, day = (_whole(part) for part in found.groups())
    for parts in ((year, month, day), (year, month, 1), (year, 1, 1)):
        try:
            at = datetime(*parts)
        except ValueError:
            continue
        precision: Precision | None = None if parts == (year, month, day) else "month" if parts[1] == month else "year"
        if precision is not None:
            return Taken(at, None, source, precision)
        return _at_the_clock(at, behind, subseconds, source)
    return Taken()


def _at_the_clock(day: datetime, text: str, subseconds: str, source: str | None) -> Taken:
    """The day with the time behind it, as far as that is sound, and its offset."""
    clock = _CLOCK.match(text)
    zone = _ZONE.match(text[clock.end() :] if clock else text)
    offset = parse_offset(zone[1]) if zone else None
    if clock is None or not clock[1].strip():
        return Taken(day, offset, source)
    digits = re.match(r"\d*", clock[4] or subseconds.strip(), re.ASCII)
    micros = int((digits[0] if digits else "")[:6].ljust(6, "0"))
    hour, minute, second = (_whole(part) for part in clock.groups()[:3])
    if clock[5] and 1 <= hour <= 12:  # of twelve hours
        hour = hour % 12 + (12 if clock[5].strip().lower() == "pm" else 0)
    for time in ((hour, minute, second, micros), (hour, minute)):
        try:
            return Taken(datetime(day.year, day.month, day.day, *time), offset, source)
        except ValueError:
            continue
    return Taken(day, offset, source)


def _whole(part: str | None) -> int:
    """A number of which blanks may be part; 0 where there is none."""
    digits = (part or "").strip()
    return int(digits) if digits.isdecimal() else 0


def parse_offset(text: str) -> int | None:
    """Minutes ahead of UTC out of "+02:00" or "+02", None where it is no offset that exists."""
    if text.strip() == "Z":
        return 0
    if not (found := _OFFSET.fullmatch(text.strip())):
        return None
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    minutes = -minutes if found[1] == "-" else minutes
    return minutes if int(found[3] or 0) < 60 and -12 * 60 <= minutes <= 14 * 60 else None


def of_name(name: str) -> Taken:
    """The date that a file's name holds, as phones, messengers and people write it; the first that is sound."""
    # A Pixel's names are in UTC, whatever its clock shows.
    zone = "Z" if name.upper().startswith("PXL_") else ""
    return first_sound(_in_name(found, zone) for pattern in _IN_NAME for found in pattern.finditer(name))


def of_file_time(mtime_ns: int) -> Taken:
    """When a file was last written, on the clock of this machine: the last resort."""
    try:
        local = datetime.fromtimestamp(mtime_ns // 10**9, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return Taken()
    offset = local.utcoffset() or timedelta()
    return Taken(local.replace(tzinfo=None), round(offset.total_seconds() / 60), "file")


def _in_name(found: re.Match[str], zone: str) -> Taken:
    """What is found in a name, written as a date is elsewhere."""
    parts = found.groupdict()
    day = ":".join(part if part and part.isdecimal() else "" for part in (parts["y"], parts.get("mon"), parts.get("d")))
    if parts.get("h") is None:
        return read_date(day, source="name")
    hour = int(parts["h"])
    if half := (parts["half"] or "").strip().lower():
        hour = hour % 12 + (12 if half == "pm" else 0) if 1 <= hour <= 12 else 99
    return read_date(f"{day} {hour:02}:{parts['m']}:{parts['sec']}{parts['z'] or zone}", source="name")
