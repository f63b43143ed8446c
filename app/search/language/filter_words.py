"""What `name:value` in a query means: how each filter reads its value, and what is said of a wrong one. Pure."""

from __future__ import annotations

import calendar
import difflib
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.search.language.date_words import span_of
from app.search.language.query_text import QueryText, short
from app.search.query import MAX_TEXT
from app.tag_path import parse_path
from indexer.catalog.photo_filter import HAS, Bounds, Near, PhotoFilter
from indexer.errors import QueryError

_NUMBER = r"-?\d{1,9}(?:\.\d{1,9})?"  # digits of any script, as in dates
_RANGE = re.compile(rf"({_NUMBER})?(?:(\.\.|\+)({_NUMBER})?)?")
_AT_LEAST = re.compile(rf"(<=|>=|<|>|=)\s*({_NUMBER})")
_LEAST_STARS, _MOST_STARS = -1, 5
_MONTHS = tuple(month.casefold() for month in calendar.month_name[1:])
_PICTURES = "jpeg png webp gif bmp tiff avif heif jxl jpeg2000 ppm tga psd qoi pcx sgi pcd"
_CONTAINERS = "mp4 quicktime matroska avi mpeg mpegts mpegvideo m4v asf flv ogg"
_KINDS = {name: name for name in f"photo video raw {_PICTURES} {_CONTAINERS}".split()}
_KINDS |= {"jpg": "jpeg", "heic": "heif", "tif": "tiff", "jp2": "jpeg2000", "movie": "video", "picture": "photo"}
_KINDS |= dict.fromkeys(("dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf"), "raw")
_KINDS |= {"mov": "quicktime", "mkv": "matroska", "webm": "matroska", "mpg": "mpeg", "wmv": "asf", "ogv": "ogg"}
_IS: dict[str, dict[str, Any]] = {
    "favourite": {"favourite": True},
    "favorite": {"favourite": True},
    "photo": {"kind": "photo"},
    "video": {"kind": "video"},
    "raw": {"kind": "raw"},
    "landscape": {"orientation": "landscape"},
    "portrait": {"orientation": "portrait"},
    "square": {"orientation": "square"},
}
_ALSO = {"location": "gps", "keyword": "keywords", "tag": "tags", "copy": "copies", "duplicates": "copies"}
_EXAMPLES = {
    "folder": 'folder:Holiday or folder:"Summer 2021"',
    "place": 'place:Lisbon or place:"New York"',
    "tag": 'tag:dog or tag:"golden hour"',
    "camera": 'camera:canon or camera:"EOS R5"',
    "lens": 'lens:50mm or lens:"EF 50mm"',
    "name": "name:IMG_1234 or name:*.heic",
    "type": "type:video, type:raw or type:jpeg",
    "keyword": 'keyword:dune or keyword:"red rock"',
    "text": 'text:wedding, text:"Anna\'s wedding" or text:wed*',
    "has": f"has:gps; it knows {', '.join(HAS)}",
    "is": f"is:favourite; it knows {', '.join(dict.fromkeys(_IS))}",
}
MANY = ("tag", "keyword", "text", "has", "is")
"""Filters that may stand several times in a query: all of them hold."""


def condition(name: str, value: str) -> PhotoFilter:
    """The filter that one `name:value` is.

    Raises:
        QueryError: no filter has that name, or the value is none for it.
    """
    read = _READ.get(name)
    if read is None:
        raise QueryError(unknown(name, value))
    if len(value) > MAX_TEXT:  # to compare names with a row of accents takes the square of its length
        raise QueryError(f"{name}: has {len(value):,} characters; at most {MAX_TEXT:,} are taken. Shorten it.")
    if name in _EXAMPLES and not value.strip():
        needs = "a name" if name not in ("has", "is", "type") else "a word"
        raise QueryError(f"{name}: needs {needs} right behind it, such as {_EXAMPLES[name]}.")
    return replace(PhotoFilter(), **read(value))


def is_filter(name: str) -> bool:
    """Whether a filter has that name, in small letters."""
    return name in _READ


def unknown(name: str, value: str) -> str:
    """What to say of a name that is no filter's: the nearest that is, and how to search for the words."""
    near = difflib.get_close_matches(name, _READ, n=1, cutoff=0.6)
    named = f"did you mean {near[0]}:? " if near else ""
    known = "" if near else f"there are {', '.join(f'{known}:' for known in _READ)}. "
    shown = f'"{short(name)}:{short(value.strip(chr(34)))}"'
    return (
        f"no filter is called {short(name)!r}: {named}{known}To search for the words themselves, quote them: {shown}."
    )


def expect_apart(text: QueryText, start: int, end: int) -> None:
    """See that no filter stands right behind the word or signs that begin at `start`, and ends until `end`.

    Raises:
        PartError: one does, which would be looked for as words, or as a part of another filter's value.
    """
    found = STUCK.match(text.whole, start, end)
    if found:
        said = (
            f"{found[2].lower()}: is a filter, and {short(found[1])!r} stands right before it. Put a blank between "
            "them, - or NOT alone to exclude, or all of it in quotes to look for the words themselves."
        )
        raise text.fault(said, *found.span())


def _on(value: str) -> dict[str, Any]:
    start, end = span_of(value, "on")
    return {"after": start, "before": end}


def _year(value: str) -> dict[str, Any]:
    first, apart, last = value.strip().partition("..")
    if not all(re.fullmatch(r"\d{4}", part.strip()) for part in ((first, last) if apart else (first,))):
        raise QueryError(f"year: wants a year or two, such as year:2021 or year:2019..2021, not {short(value)!r}.")
    start, end = span_of(first, "year")[0], span_of(last if apart else first, "year")[1]
    if start >= end:
        raise QueryError(f"year: {short(value)!r} ends before it begins. Exchange the two years.")
    return {"after": start, "before": end}


def _month(value: str) -> dict[str, Any]:
    text = value.strip().casefold()
    named = [at for at, month in enumerate(_MONTHS, 1) if len(text) >= 3 and month.startswith(text)]
    if not named and re.fullmatch(r"\d{1,2}", text) and 1 <= int(text) <= 12:
        named = [int(text)]
    if not named:
        raise QueryError(f"month: wants a month of any year, such as month:7 or month:july, not {short(value)!r}.")
    return {"month": named[0]}


def _near(value: str) -> dict[str, Any]:
    try:
        latitude, longitude, *km = (float(part) for part in value.split(","))
        radius = km[0] if km else 1.0
        if "_" in value or len(km) > 1 or not (abs(latitude) <= 90 and abs(longitude) <= 180 and 0 < radius <= 20_100):
            raise ValueError
    except ValueError:
        raise QueryError(
            "near: wants a latitude (-90 to 90), a longitude (-180 to 180) and kilometres (1 where they are left out), "
            f"such as near:38.71,-9.14,5, not {short(value)!r}."
        ) from None
    return {"near": Near(latitude, longitude, radius)}


def _bounds(name: str, value: str, example: str) -> Bounds:
    text = value.strip()
    if match := _AT_LEAST.fullmatch(text):
        sign, number = match[1], float(match[2])  # it bounds whole numbers
        low = {">": math.floor(number) + 1, ">=": number, "=": number}.get(sign)
        high = {"<": math.ceil(number) - 1, "<=": number, "=": number}.get(sign)
        return Bounds(low, high)
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[3]) or (match[2] == "+" and (match[3] or not match[1])):
        raise QueryError(f"{name}: wants a number or bounds, such as {example}, not {short(value)!r}.")
    low = float(match[1]) if match[1] else None
    high = low if match[2] is None else float(match[3]) if match[3] else None
    if low is not None and high is not None and low > high:
        raise QueryError(f"{name}: {short(value)!r} ends below its beginning. Exchange the two numbers.")
    return Bounds(low, high)


def _rating(value: str) -> dict[str, Any]:
    stars = _bounds("rating", value, "rating:4, rating:3..5 or rating:>=4")
    beyond = [
        number for number in (stars.low, stars.high) if number is not None and not _LEAST_STARS <= number <= _MOST_STARS
    ]
    if beyond:
        raise QueryError(
            f"rating: stars go from 1 to {_MOST_STARS}, 0 is none and {_LEAST_STARS} rejected; not {short(value)!r}."
        )
    return {"rating": stars}


def _orientation(value: str) -> dict[str, Any]:
    shape = value.strip().casefold()
    if shape not in ("landscape", "portrait", "square"):
        raise QueryError(f"orientation: is landscape, portrait or square, not {short(value)!r}.")
    return {"orientation": shape}


def _one_of(name: str, value: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found = known.get(value.strip().casefold())
    if found is None:
        raise QueryError(f"{name}: does not know {short(value)!r}. Write {_EXAMPLES[name]}.")
    return found


def _has(value: str) -> dict[str, Any]:
    word = value.strip().casefold()
    return _one_of("has", _ALSO.get(word, word), {known: {"has": (known,)} for known in HAS})


def _tag(value: str) -> dict[str, Any]:
    try:
        return {"tags": (parse_path(value),)}
    except ValueError as error:
        raise QueryError(f"tag: {error}") from None


def _duplicate(value: str) -> dict[str, Any]:
    answers = {"no": False, "yes": True}
    if value.strip().casefold() not in answers:
        raise QueryError(
            f"duplicate: is yes (photos that there are several of) or no (one of each), not {short(value)!r}."
        )
    return {"copies": answers[value.strip().casefold()]}


_READ: dict[str, Callable[[str], dict[str, Any]]] = {
    "after": lambda value: {"after": span_of(value, "after")[0]},
    "before": lambda value: {"before": span_of(value, "before")[0]},
    "on": _on,
    "year": _year,
    "month": _month,
    "place": lambda value: {"place": value},
    "near": _near,
    "camera": lambda value: {"camera": value.strip()},
    "lens": lambda value: {"lens": value.strip()},
    "folder": lambda value: {"folder": value},
    "name": lambda value: {"name": value.strip()},
    "type": lambda value: _one_of("type", value, {name: {"kind": kind} for name, kind in _KINDS.items()}),
    "tag": _tag,
    "keyword": lambda value: {"keywords": (value.strip(),)},
    "text": lambda value: {"texts": (value.strip(),)},
    "rating": _rating,
    "width": lambda value: {"width": _bounds("width", value, "width:4000, width:>=3000 or width:1000..2000")},
    "height": lambda value: {"height": _bounds("height", value, "height:4000, height:>=3000 or height:1000..2000")},
    "orientation": _orientation,
    "is": lambda value: _one_of("is", value, _IS),
    "has": _has,
    "duplicate": _duplicate,
}
NAMES = tuple(_READ)
"""Every filter's name."""
_QUOTES = r"\"“”„«"
STUCK = re.compile(  # signs alone, or a word and any sign but those that addresses, names of files and code have within
    rf"([^\w\s{_QUOTES}]{{1,9}}(?:NOT\s+)?|(?:(?!://)[^\s{_QUOTES}])+[^\w\s{_QUOTES}.:：/\\@#'’%*=-])"
    rf"({'|'.join(NAMES)})[:：](?!//)(?=[^\s:])",
    re.IGNORECASE,
)
