"""A query written down again, whole or in the parts that a person would take out of it. Pure; `parsing.py` reads it.

What it writes is read as the same query. Only text that holds three kinds of quotation marks, which the language cannot
quote, may be read as another one.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from app.search.language.filter_group import all_of
from app.search.language.filter_words import STUCK
from app.search.language.parsing import parse
from app.search.query import Query, Term
from app.tag_path import path_text
from indexer.catalog.photo_filter import Bounds, PhotoFilter
from indexer.errors import QueryError

T = TypeVar("T")
_MARKS = set('"“”„«»')

_PLAIN = ("folder", "place", "camera", "lens", "name", "kind", "orientation", "month")
_NAMES = {"kind": "type", "tags": "tag", "keywords": "keyword", "texts": "text", "copies": "duplicate"}


def written(query: Query) -> str:
    """The query as a person would type it."""
    filters = map(_condition, _conditions(query.filter))
    return " ".join(part for part in (*_terms(query), *map(_left_out, query.unwanted), *filters) if part)


def parts(query: Query) -> list[tuple[str, Query]]:
    """Each part of a query as it is written, and the query without it."""
    terms, conditions = _looked_for(query), _conditions(query.filter)
    found = [(text, _of(_without(terms, at), query)) for at, text in enumerate(_terms(query))]
    for at, term in enumerate(query.unwanted):
        found.append((_left_out(term), replace(query, unwanted=tuple(_without(list(query.unwanted), at)))))
    for at, one in enumerate(conditions):
        rest = all_of([_opened(other) for other in _without(conditions, at)])
        found.append((_condition(one), replace(query, filter=rest)))
    return found


def _of(terms: list[Term], query: Query) -> Query:
    """The query with these terms in place of its own."""
    if len(terms) == 1 and terms[0].weight == 1 and terms[0].picture is None:
        return replace(query, text=terms[0].text, terms=())
    return replace(query, text=" ".join(term.text for term in terms), terms=tuple(terms))


def _without(things: list[T], at: int) -> list[T]:
    return things[:at] + things[at + 1 :]


# What to look for


def _looked_for(query: Query) -> list[Term]:
    return list(query.terms) or ([Term(query.text)] if query.text.strip() else [])


def _terms(query: Query) -> list[str]:
    terms = _looked_for(query)
    plain = not query.terms or len(terms) > 1  # words of no sign go first; a lone term has one
    return [
        _words(term.text) if plain and at == 0 and term.weight == 1 and term.picture is None else _signed(term)
        for at, term in enumerate(terms)
    ]


def _words(text: str) -> str:
    """Words of no sign: quoted where something in them would be read as more than words."""
    try:
        alone = parse(text) == Query(text=text)
        beside = parse(f"{text} is:raw") == Query(text=text, filter=PhotoFilter(kind="raw"))
        bare = alone and beside and not set(text) & _MARKS
    except QueryError:
        bare = False
    return text if bare else _quoted(text)


def _signed(term: Term) -> str:
    sign = "-" if term.weight < 0 else "+"
    weight = "" if abs(term.weight) == 1 else f"{_number(abs(term.weight))}:"
    if term.picture is not None:
        return f"{sign}{weight}image:{_value(str(term.picture))}"
    bare = term.text.isalpha() and term.text.upper() not in ("OR", "AND", "NOT")
    return sign + weight + (term.text if bare else _quoted(term.text))


def _left_out(term: Term) -> str:
    if term.picture is not None:
        return f"NOT image:{_value(str(term.picture))}"
    return f"NOT {_words(term.text) if term.text.islower() else _quoted(term.text)}"  # NOT 5 is capitals alone


def _quoted(text: str) -> str:
    for opening, closing in ('""', "“”", "«»"):
        if closing not in text:
            return opening + text + closing
    return text


# Which photos


def _conditions(wanted: PhotoFilter) -> list[PhotoFilter]:
    """Filters of one condition each, which together are the filter."""
    found = [PhotoFilter(after=wanted.after, before=wanted.before)]
    if _span(found[0]) is None:
        found = [PhotoFilter(after=wanted.after), PhotoFilter(before=wanted.before)]
    for part in fields(PhotoFilter):
        value = getattr(wanted, part.name)
        if part.name in ("after", "before") or value in (part.default, ""):
            continue
        values = [(one,) for one in value] if isinstance(part.default, tuple) else [value]
        found += [_only(part.name, one) for one in values]
    return [one for one in found if one]


def _opened(one: PhotoFilter) -> PhotoFilter:
    """A condition without the parentheses that it stands in alone, as a second one of a field does."""
    return one.either[0][0] if len(one.either) == 1 == len(one.either[0]) else one


def _only(name: str, value: Any) -> PhotoFilter:
    known: dict[str, Any] = {name: value}
    return PhotoFilter(**known)


def _condition(one: PhotoFilter) -> str:
    """A filter of one condition."""
    (name, value) = next(
        (part.name, getattr(one, part.name))
        for part in fields(PhotoFilter)
        if getattr(one, part.name) not in (part.default, "")
    )
    shown = _NAMES.get(name, name)
    if name in ("after", "before"):
        return _span(one) or f"{name}:{_date(value)}"
    if name in _PLAIN:
        return f"{shown}:{_value(str(value))}"
    if isinstance(value, Bounds):
        return f"{name}:{_bounds(value)}"
    if name == "near":
        return f"near:{_number(value.latitude)},{_number(value.longitude)},{_number(value.km)}"
    if name == "favourite":
        return "is:favourite"
    if name == "copies":
        return f"duplicate:{'yes' if value else 'no'}"
    if name == "either":
        return _either(value[0])
    if name == "without":
        return f"-{_operand(value[0])}"
    return f"{shown}:{_value(path_text(value[0]) if name == 'tags' else value[0])}"


def _either(group: tuple[PhotoFilter, ...]) -> str:
    if len(group) == 1:  # a second condition of a field, which may not stand there twice
        return f"({_all(group[0])})"
    return " OR ".join(_operand(one, excluded=True) for one in group)


def _operand(wanted: PhotoFilter, *, excluded: bool = False) -> str:
    """What OR or NOT stands before: one condition, that NOT may exclude for OR alone, or several in parentheses."""
    conditions = _conditions(wanted)
    lone = len(conditions) == 1 and not wanted.either and (excluded or not wanted.without)
    return _condition(conditions[0]) if lone else f"({_all(wanted)})"


def _all(wanted: PhotoFilter) -> str:
    return " ".join(map(_condition, _conditions(wanted)))


def _value(text: str) -> str:
    """What stands behind a filter's colon."""
    bare = not STUCK.match(text) and not any(one.isspace() or one in _MARKS | {"(", ")"} for one in text)
    return text if bare else _quoted(text)


def _number(number: float) -> str:
    text = f"{number:.9f}".rstrip("0").rstrip(".")
    return text if float(text) == number else repr(number)


def _bounds(bounds: Bounds) -> str:
    low, high = bounds.low, bounds.high
    if low == high and low is not None:
        return _number(low)
    if low is not None and low > 999_999_999:  # the language reads nine digits
        return f">{_number(low - 1)}"
    if high is not None and high < -999_999_999:
        return f"<{_number(high + 1)}"
    return f"{'' if low is None else _number(low)}..{'' if high is None else _number(high)}"


def _date(moment: datetime) -> str:
    if moment.day > 1:
        return f"{moment.date()}"
    return f"{moment.year:04}-{moment.month:02}" if moment.month > 1 else f"{moment.year:04}"


def _span(one: PhotoFilter) -> str | None:
    """From `after` to `before` as years, a month or a day; None where it is none of them."""
    start, end = one.after, one.before
    if start is None or end is None or start >= end:  # as in a group that passes nothing
        return None
    new_year = (1, 1)
    last = end.year if end == datetime.max else end.year - 1
    if (start.month, start.day) == new_year and (end == datetime.max or (end.month, end.day) == new_year):
        return f"year:{start.year:04}" if start.year == last else f"year:{start.year:04}..{last:04}"
    if end == datetime.max:
        return f"after:{_date(start)} year:{start.year:04}..9999"
    if start.day == 1 and (end.year, end.month, end.day) == (start.year, start.month + 1, 1):
        return f"on:{_date(start)}" if start.month > 1 else f"on:{start.year:04}-01"
    if start.day == 1 and (start.month, end) == (12, datetime(min(start.year + 1, 9999), 1, 1)):
        return f"on:{start.year:04}-12"
    if end - start == timedelta(days=1):
        return f"on:{start.date()}"
    return None
