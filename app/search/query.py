"""The query language: words with after:, before:, folder:, place: and tag: filters among them. Pure.

It asks no catalog and embeds nothing; `app/search/search_service.py` does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.tag_path import parse_path
from indexer.catalog.records import PhotoFilter
from indexer.errors import QueryError

MAX_TEXT = 10_000  # characters; far more than the text tower reads
MAX_LIMIT = 1_000  # hits in one answer
MAX_OFFSET = 100_000  # hits skipped before it


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture as a network sees it, which is all that is kept of one that was dropped on the page.

    Attributes:
        side: of the network's square, in pixels.
        pixels: (side, side, 3) bytes.
    """

    side: int
    pixels: NDArray[np.uint8]


Picture = Image.Image | bytes | Path | Prepared
"""A picture to search by: a file, the bytes of one, a decoded one (RGB, upright), or a prepared one."""

_FILTER = re.compile(r'(?<!\S)(after|before|folder|place|tag):("[^"]*"|“[^”]*”|\S*)', re.IGNORECASE)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_EXAMPLES = {
    "folder": 'folder:Holiday or folder:"Summer 2021"',
    "place": 'place:Lisbon or place:"New York"',
    "tag": 'tag:dog or tag:"golden hour"',
}


@dataclass(frozen=True)
class Query:
    """One search: words, a picture, or both, among the photos that the filter allows.

    Attributes:
        text: words to look for, filters already taken out (see `parse`).
        image: a picture to look for.
        filter: which photos may be hits.
        limit: hits wanted, 1 to MAX_LIMIT.
        offset: hits skipped before them, 0 to MAX_OFFSET.
        sort: "relevance" (score, ties by path) or "date" (newest first, among the best matches).
        image_weight: share of the picture when there are words too, 0 to 1.
    """

    text: str = ""
    image: Picture | None = None
    filter: PhotoFilter = field(default_factory=PhotoFilter)
    limit: int = 20
    offset: int = 0
    sort: Literal["relevance", "date"] = "relevance"
    image_weight: float = 0.5


def parse(text: str) -> tuple[str, PhotoFilter]:
    """Split what a person typed into the words to look for and the filters.

    `after:` is inclusive and `before:` exclusive, each with a year, a month or a day (2021, 2021-06, 2021-06-30).
    Any other word with a colon in it stays a word. `tag:` may come several times: a photo has all of them.

    Raises:
        QueryError: the text is too long, a date is none, or a filter has no value or comes twice.
    """
    if len(text) > MAX_TEXT:
        raise QueryError(f"the query has {len(text):,} characters; at most {MAX_TEXT:,} are taken. Shorten it.")
    found: dict[str, str] = {}
    tags: list[str] = []
    for match in _FILTER.finditer(text):
        key = match[1].lower()
        if key == "tag":
            tags.append(_value(key, match[2]))
            continue
        if key in found:
            raise QueryError(f"{key}: stands twice in the query. Leave one.")
        found[key] = _value(key, match[2])
    words = " ".join(_FILTER.sub(" ", text).split())
    words = words.encode("utf-8", "replace").decode()  # an argument's bytes that are no UTF-8
    return words, make_filter(**found, tags=tags)


def make_filter(
    after: str | None = None,
    before: str | None = None,
    folder: str | None = None,
    place: str | None = None,
    tags: Sequence[str] = (),
) -> PhotoFilter:
    """The filter that these texts describe; one that is empty is none.

    Raises:
        QueryError: a date is none, no date can pass, or a tag is none.
    """
    after, before, folder, place = map(_given, (after, before, folder, place))
    start = None if after is None else parse_date(after, "after")
    end = None if before is None else parse_date(before, "before")
    try:
        paths = tuple(dict.fromkeys(parse_path(tag) for tag in tags))
    except ValueError as error:
        raise QueryError(f"tag: {error}") from None
    return _possible(PhotoFilter(start, end, folder, place, paths))


def merge(first: PhotoFilter, second: PhotoFilter) -> PhotoFilter:
    """The filter that passes what both pass.

    Raises:
        QueryError: they name two folders or two places, or no date can pass.
    """
    for kind in ("folder", "place"):
        one, other = getattr(first, kind), getattr(second, kind)
        if one and other and one != other:
            raise QueryError(f"two {kind}s are asked for, {one!r} and {other!r}. Leave one.")
    starts = [moment for moment in (first.after, second.after) if moment]
    ends = [moment for moment in (first.before, second.before) if moment]
    return _possible(
        PhotoFilter(
            after=max(starts, default=None),
            before=min(ends, default=None),
            folder=first.folder or second.folder,
            place=first.place or second.place,
            tags=tuple(dict.fromkeys(first.tags + second.tags)),
        )
    )


def parse_date(text: str, name: str) -> datetime:
    """The first moment of a year, month or day.

    Raises:
        QueryError: it is no date; the message names the filter.
    """
    match = _DATE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        return datetime(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        shown = text if len(text) <= 40 else text[:40] + "…"
        raise QueryError(
            f"{name}: wants a year, a month or a day, such as {name}:2021, {name}:2021-06 or {name}:2021-06-30, "
            f"not {shown!r}."
        ) from None


def _given(text: str | None) -> str | None:
    return text if text and text.strip() else None


def _value(key: str, written: str) -> str:
    value = written[1:-1] if len(written) > 1 and written[0] in '"“' and written[-1] in '"”' else written
    if key in _EXAMPLES and not value.strip():
        raise QueryError(f"{key}: needs a name right behind it, such as {_EXAMPLES[key]}.")
    if value[:1] in ('"', "“"):
        raise QueryError(f"{key}:{value} opens a quotation mark that is never closed. Close it, or leave it out.")
    if key not in _EXAMPLES:
        parse_date(value, key)  # among the words an empty one is a mistake, which it is not beside them
    return value


def _possible(wanted: PhotoFilter) -> PhotoFilter:
    if wanted.after and wanted.before and wanted.after >= wanted.before:
        raise QueryError(
            f"no photo can be both from {wanted.after:%Y-%m-%d} on and before {wanted.before:%Y-%m-%d}. "
            "Exchange the two dates."
        )
    return wanted
