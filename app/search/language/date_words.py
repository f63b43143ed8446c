"""Dates as they stand in a query: a year, a month or a day, and which part of one is wrong. Pure."""

from __future__ import annotations

import calendar
import re
from datetime import datetime

from app.search.language.query_text import short
from indexer.errors import QueryError

_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


def span_of(text: str, name: str) -> tuple[datetime, datetime]:
    """The first moment of a year, month or day, and the first after it.

    Raises:
        QueryError: it is no date; the message names the filter, what it wants, and the part that is wrong.
    """
    match = _DATE.fullmatch(text.strip())
    wrong = None if match is None else _wrong_part(*map(int, filter(None, match.groups())))
    if match is None or wrong:
        raise QueryError(
            f"{name}: wants a year, a month or a day, such as {name}:2021, {name}:2021-06 or {name}:2021-06-30, "
            f"not {short(text)!r}{f': {wrong}' if wrong else ''}."
        )
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    start = datetime(year, month, day)
    if match[3]:
        return start, _next_day(start)
    later = (year, month + 1) if match[2] and month < 12 else (year + 1, 1)
    return start, datetime.max if later[0] > 9999 else datetime(*later, 1)


def _wrong_part(year: int, month: int = 1, day: int = 1) -> str:
    """What of a date there is not; "" where there is all of it."""
    if year < 1:
        return "there is no year 0"
    if not 1 <= month <= 12:
        return f"there is no month {month}, they go from 01 to 12"
    days = calendar.monthrange(year, month)[1]
    if not 1 <= day <= days:
        return f"{calendar.month_name[month]} {year} has no day {day}, they go from 01 to {days}"
    return ""


def _next_day(day: datetime) -> datetime:
    ordinal = day.toordinal() + 1
    return datetime.max if ordinal > datetime.max.toordinal() else datetime.fromordinal(ordinal)
