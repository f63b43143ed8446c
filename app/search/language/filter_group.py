"""Filters joined: side by side, by OR, by NOT. Pure; what one filter means is known to `filter_words.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import reduce
from typing import Any

from app.search.language.query_text import QueryText
from indexer.catalog.photo_filter import PhotoFilter
from indexer.errors import QueryError

MAX_FILTERS = 100  # each is a look into the catalog


class ConflictError(QueryError):
    """Two things are asked for that no photo can be: `between` has a filter's fields, and of each what it asks for."""

    def __init__(self, message: str, **between: object) -> None:
        """Keep what is asked for."""
        super().__init__(message)
        self.between = between


@dataclass
class FilterGroup:
    """Filters that stand side by side, those joined by OR in a list of their own.

    Places are characters of the query: (start, end).
    """

    opened: int = 0  # where its parenthesis stands
    alternatives: list[list[PhotoFilter]] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)  # of each of the alternatives
    operator: tuple[int, int] = (0, 0)  # of the last OR or NOT
    names: set[str] = field(default_factory=set)
    joins: bool = False  # OR has been read, and what it joins has not
    excludes: bool = False  # NOT has been read

    def add(self, wanted: PhotoFilter, place: tuple[int, int]) -> None:
        """Take a filter in, as what stands before it says."""
        if self.excludes:
            wanted, self.excludes = none_of(wanted), False
        if self.joins:
            self.alternatives[-1].append(wanted)
            self.places[-1] = self.places[-1][0], place[1]
            self.joins = False
        else:
            self.alternatives.append([wanted])
            self.places.append(place)

    def filter(self) -> PhotoFilter:
        """What all of them come to."""
        return all_of([any_of(group) for group in self.alternatives])

    def agreed(self, text: QueryText, beside: PhotoFilter | None) -> PhotoFilter:
        """What all of them and a filter beside the text come to, which points into the text where it is impossible.

        Raises:
            QueryError: as `merge`.
        """
        try:
            wanted = possible(self.filter())
            return wanted if beside is None else merge(wanted, beside)
        except ConflictError as error:
            place = self._where(error.between)
            if place is None:
                raise
            raise text.fault(str(error), *place) from error

    def _where(self, between: dict[str, object]) -> tuple[int, int] | None:
        """The place of those filters that alone ask for one of these, from the first to the last; None without any."""
        found = [
            place
            for (first, *others), place in zip(self.alternatives, self.places, strict=True)
            if not others and any(getattr(first, name) == value for name, value in between.items())
        ]
        return (found[0][0], found[-1][1]) if found else None

    def expect_nothing(self, text: QueryText) -> None:
        """Raise QueryError where an operator of the text waits for a filter."""
        if self.joins or self.excludes:
            word = "OR" if self.joins else "NOT"
            raise text.fault(f"{word} stands before no filter. Write one behind it, or quote the word.", *self.operator)


def all_of(filters: Sequence[PhotoFilter]) -> PhotoFilter:
    """The filter that passes what each of them passes."""
    return reduce(_both, filters, PhotoFilter())


def any_of(filters: Sequence[PhotoFilter]) -> PhotoFilter:
    """The filter that passes what one of them passes."""
    return filters[0] if len(filters) == 1 else PhotoFilter(either=(tuple(filters),))


def none_of(rejected: PhotoFilter) -> PhotoFilter:
    """The filter that passes what this one does not."""
    return PhotoFilter(without=(rejected,))


def _both(first: PhotoFilter, second: PhotoFilter) -> PhotoFilter:
    """Joined field by field; where a field holds one value and both name another one, the second's stands by itself."""
    if not first:
        return second
    if not second:
        return first
    joined: dict[str, Any] = {}
    apart: dict[str, Any] = {}
    for field_ in fields(PhotoFilter):
        one, other = getattr(first, field_.name), getattr(second, field_.name)
        if isinstance(field_.default, tuple):
            joined[field_.name] = tuple(dict.fromkeys(one + other))
        elif field_.name in ("after", "before"):
            pick = max if field_.name == "after" else min
            joined[field_.name] = pick((moment for moment in (one, other) if moment), default=None)
        elif one not in (field_.default, other) and other != field_.default:
            if field_.name == "copies":  # one of each is of all that pass, and so stays at the top
                one, other = False, True
            joined[field_.name], apart[field_.name] = one, other
        else:
            joined[field_.name] = other if one == field_.default else one
    if apart:
        joined["either"] = (*joined["either"], (PhotoFilter(**apart),))
    return PhotoFilter(**joined)


def merge(first: PhotoFilter, second: PhotoFilter) -> PhotoFilter:
    """The filter that passes what both pass.

    Raises:
        ConflictError: they name two folders or two places, or no date can pass.
        QueryError: there are too many filters.
    """
    for kind in ("folder", "place"):
        one, other = getattr(first, kind), getattr(second, kind)
        if one and other and one != other:
            raise ConflictError(f"two {kind}s are asked for, {one!r} and {other!r}. Leave one.", **{kind: one})
    return possible(all_of([first, second]))


def possible(wanted: PhotoFilter) -> PhotoFilter:
    """The same filter.

    Raises:
        ConflictError: no date can pass it.
        QueryError: it has more than MAX_FILTERS within it.
    """
    if _within(wanted) > MAX_FILTERS:
        raise QueryError(f"more than {MAX_FILTERS} filters are asked for. Leave some out.")
    if wanted.after and wanted.before and wanted.after >= wanted.before:
        raise ConflictError(
            f"no photo can be both from {wanted.after.date()} on and before {wanted.before.date()}. "
            "Change one of the two dates, or leave it out.",
            after=wanted.after,
            before=wanted.before,
        )
    return wanted


def _within(wanted: PhotoFilter) -> int:
    """How many looks into the catalog a filter takes: one for itself, and those of the filters in it."""
    groups = [*wanted.either, wanted.without]
    return (
        1
        + len(wanted.tags)
        + len(wanted.keywords)
        + len(wanted.texts)
        + sum(_within(one) for group in groups for one in group)
    )
