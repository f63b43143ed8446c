"""Where in a query something is not understood, and an excerpt that shows the place. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from app.printable import printable
from indexer.errors import PicsiftError, QueryError

CUT = "..."  # where an excerpt leaves something out, in any encoding


class Spot(NamedTuple):
    """A part of a text.

    Attributes:
        text: all of it, as it was typed.
        start: characters (Unicode code points) before the part.
        end: the same up to its end; more than `start`.
    """

    text: str
    start: int
    end: int


class PartError(QueryError):
    """A part of a query is not understood; `spot` is where it stands."""

    def __init__(self, message: str, spot: Spot) -> None:
        """Keep the place."""
        super().__init__(message)
        self.spot = spot


class Excerpt(NamedTuple):
    """What is shown of a text around a part of it; none of the three steers a terminal or a page."""

    before: str
    part: str
    after: str


def spot_of(error: PicsiftError) -> Spot | None:
    """Where in what was typed the error is; None for one that is about no part."""
    return error.spot if isinstance(error, PartError) else None


def excerpt(
    spot: Spot, most: int, *, visible: Callable[[str], str] = printable, width: Callable[[str], int] = len
) -> Excerpt:
    """The part and what stands around it, as far as there is room.

    Args:
        spot: the part.
        most: width of all three together, beside what marks where they are cut.
        visible: a character -> how it is shown.
        width: how much room a text takes.
    """

    def fitting(characters: str | Iterable[str], room: int) -> list[str]:
        taken: list[str] = []
        for character in characters:
            shown = visible(character)
            room -= width(shown)
            if room < 0 or len(taken) == most:  # many characters take no room
                break
            taken.append(shown)
        return taken

    text, start, end = spot
    part = fitting(text[start:end], most)
    if len(part) < end - start:
        part, end = [*part, CUT], len(text)  # what follows is left out, too
    room = most - sum(map(width, part))
    after = fitting(text[end:], min(room, max(room // 3, room - start)))
    room -= sum(map(width, after))
    before = fitting((text[at] for at in range(start - 1, -1, -1)), room)
    left = CUT if len(before) < start else ""
    right = CUT if len(after) < len(text) - end else ""
    return Excerpt(left + "".join(reversed(before)), "".join(part), "".join(after) + right)
