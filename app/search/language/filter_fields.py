"""Filters as fields of a form or options of a command: a text for each name, beside the query or without one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.search.language.filter_group import all_of, none_of, possible
from app.search.language.filter_words import condition
from app.search.language.parsing import parse
from app.search.language.query_text import short
from app.search.language.spots import PartError
from indexer.catalog.photo_filter import PhotoFilter
from indexer.errors import QueryError


def make_filter(
    after: str | None = None,
    before: str | None = None,
    folder: str | None = None,
    place: str | None = None,
    tags: Sequence[str] = (),
    **others: str | None,
) -> PhotoFilter:
    """The filter that these texts describe; one that is empty is none. Others are named as in the query language.

    Raises:
        QueryError: a date is none, no date can pass, or a value is none for its filter.
    """
    return filter_of({"after": after, "before": before, "folder": folder, "place": place, "tag": tags, **others})


def filter_of(fields: Mapping[str, str | Sequence[str] | None], excluded: Sequence[str] = ()) -> PhotoFilter:
    """The filter that fields make together; empty ones are none.

    Args:
        fields: a filter's name -> its value, or several.
        excluded: filters as they are written in a query, such as camera:canon; none of them may pass.

    Raises:
        QueryError: a value is none for its filter, or no date can pass.
    """
    several = {name: [value] if isinstance(value, str) else value or () for name, value in fields.items()}
    conditions = [condition(name, text) for name, texts in several.items() for text in texts if text.strip()]
    return possible(all_of([*conditions, *(none_of(parse_filter(text)) for text in excluded if text.strip())]))


def parse_filter(text: str) -> PhotoFilter:
    """The filter that a text is, in which nothing is looked for.

    Raises:
        QueryError: it is none, or words stand in it; of no part, since it is a field, not the query.
    """
    try:
        query = parse(text)
    except PartError as error:
        raise QueryError(str(error)) from error
    if query.text or query.terms or not query.filter:
        raise QueryError(f"{short(text)!r} is no filter. Write one such as camera:canon.")
    return query.filter
