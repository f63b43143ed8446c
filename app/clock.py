"""Seconds as players write them, and dates as people do. Pure."""

from datetime import datetime

from indexer.metadata.dates import Precision


def clock(seconds: float) -> str:
    """A moment or a length: 0:42, 12:05, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def day_and_time(moment: datetime, precision: Precision | None) -> str:
    """A date as people write it, as far as it is known: 4 July 2021, 10:11; August 1993; 1993."""
    known = {"month": f"{moment:%B} {moment.year}", "year": str(moment.year)}
    return known[precision] if precision else f"{moment.day} {moment:%B} {moment.year}, {moment:%H:%M}"


def day_in_figures(moment: datetime, precision: Precision | None) -> str:
    """The same for a column of a table: 2021-07-04 10:11; 1993-08; 1993."""
    whole = f"{moment.year:04}-{moment:%m-%d %H:%M}"
    return whole[: {"month": 7, "year": 4}[precision]] if precision else whole
