"""What a search is asked: what to look for, among which photos, how many of them in which order. Pure.

How that is written down is known to `language/parsing.py`; it is answered by `search_service.py`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from indexer.catalog.photo_filter import PhotoFilter
from indexer.counted import counted
from indexer.errors import QueryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

MAX_TEXT = 10_000  # characters; far more than the text tower reads
NOTHING = "the query is empty. Say what to look for, such as: two dogs on a beach"
MAX_LIMIT = 1_000  # hits in one answer
MAX_OFFSET = 100_000  # hits skipped before it
LEAST_REGION = 0.01  # of a picture's width or height
MAX_SOURCES = 100  # photos that hits shall be like, together
MAX_MARKS = 100  # photos marked right, and as many wrong


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture as a network sees it, which is all that is kept of one that was dropped on the page.

    Attributes:
        side: of the network's square, in pixels.
        pixels: (side, side, 3) bytes.
    """

    side: int
    pixels: NDArray[np.uint8]


Picture: TypeAlias = "Image.Image | bytes | Path | Prepared"
"""A picture to search by: a file, the bytes of one, a decoded one (RGB, upright), or a prepared one."""


@dataclass(frozen=True)
class Region:
    """A part of an upright picture, in fractions of its width and height, from its upper left corner."""

    left: float
    top: float
    width: float
    height: float

    def least_side(self, side: int) -> int:
        """The short side that the whole picture has to have for the region to have `side` pixels."""
        return math.ceil(side / min(self.width, self.height))


@dataclass(frozen=True, eq=False)
class Cut:
    """A region, cut out: a picture of its own.

    Attributes:
        picture: the file of it.
        photo_id: the photo of the library that it is from, which is no hit then; None for another picture.
    """

    picture: bytes
    photo_id: int | None = None


Source: TypeAlias = "int | Picture | Cut"
"""What photos shall be like: a photo of the library by its id, a picture, or a region of one."""


@dataclass(frozen=True)
class Term:
    """One of several things that a query looks for.

    Attributes:
        text: words; "" where there is a picture.
        weight: how much it counts; below 0, photos like it come later.
        picture: a picture's file.
    """

    text: str = ""
    weight: float = 1.0
    picture: Path | None = None


@dataclass(frozen=True)
class Query:
    """One search: words, a picture, or both, among the photos that the filter allows.

    Attributes:
        text: words to look for, filters already taken out (see `language/parsing.py`).
        terms: what to look for instead of the text, where that is more than plain words; the text is then how it
            was written.
        unwanted: what photos must not show: those that match one of these are no hits; their weights say nothing.
        image: a picture to look for.
        filter: which photos may be hits.
        limit: hits wanted, 1 to MAX_LIMIT.
        offset: hits skipped before them, 0 to MAX_OFFSET.
        sort: "relevance" (score, ties by path) or "date" (newest first, of all that are relevant enough).
        min_relevance: photos that are less relevant are no hits, 0 to 1; 0 lists all.
        image_weight: share of the picture when there are words too, 0 to 1.
        right: photos, by their ids, that are what was looked for: others like them come first.
        wrong: photos that are not: they are no hits, and others like them come later.
        diverse: of photos that are alike, the others come later.
        all_copies: each copy of a picture is a hit of its own, rather than standing behind the first.
    """

    text: str = ""
    terms: tuple[Term, ...] = ()
    unwanted: tuple[Term, ...] = ()
    image: Picture | None = None
    filter: PhotoFilter = field(default_factory=PhotoFilter)
    limit: int = 20
    offset: int = 0
    sort: Literal["relevance", "date"] = "relevance"
    image_weight: float = 0.5
    min_relevance: float = 0.0
    right: tuple[int, ...] = ()
    wrong: tuple[int, ...] = ()
    diverse: bool = False
    all_copies: bool = False


EVERYTHING = Query()
"""The first page of all photos, in no order that was asked for."""


def check(query: Query) -> None:
    """Whether there is something to look for, within the bounds.

    Raises:
        QueryError: there is not, saying what is wrong.
    """
    if not (query.text.strip() or query.unwanted or query.filter) and query.image is None:
        raise QueryError(NOTHING)
    if len(query.text) > MAX_TEXT:
        raise QueryError(f"the query has {len(query.text):,} characters; at most {MAX_TEXT:,} are taken. Shorten it.")
    if not 0 <= query.image_weight <= 1:
        raise QueryError(f"the picture's weight is {query.image_weight}; it goes from 0 (words) to 1 (picture).")
    check_page(query)


def check_page(query: Query) -> None:
    """Whether the page is within the bounds; raises the same."""
    if not 1 <= query.limit <= MAX_LIMIT:
        raise QueryError(f"the limit is {query.limit}; it goes from 1 to {MAX_LIMIT:,}.")
    if not 0 <= query.offset <= MAX_OFFSET:
        raise QueryError(f"the offset is {query.offset}; it goes from 0 to {MAX_OFFSET:,}.")
    if not 0 <= query.min_relevance <= 1:
        raise QueryError(f"the least relevance is {query.min_relevance}; it goes from 0 (all) to 1.")
    if query.diverse and query.sort == "date":
        raise QueryError("one order is by date, another one diverse. Take one of the two.")
    for kind, marks in (("right", query.right), ("wrong", query.wrong)):
        if len(marks) > MAX_MARKS:
            raise QueryError(f"{len(marks)} photos are marked {kind}; it goes to {MAX_MARKS}. Take some marks away.")
    if both := set(query.right) & set(query.wrong):
        raise QueryError(f"photo {min(both)} is marked right and wrong. Take one of the marks away.")


def check_compared(query: Query) -> None:
    """Whether nothing is asked that only a search for words or a picture can answer; raises the same."""
    if query.right or query.wrong:
        raise QueryError("marks refine what is looked for, and these are filters alone. Add words or a picture.")
    if query.diverse:
        raise QueryError(
            "a diverse order is of what a search found, and these are filters alone: the newest come first."
        )


def check_sources(count: int) -> None:
    """Whether there are so many pictures that photos can be like them; raises the same."""
    if not 1 <= count <= MAX_SOURCES:
        raise QueryError(f"{count:,} pictures are to be searched by; it goes from 1 to {MAX_SOURCES} together.")


def parse_region(text: str) -> Region:
    """A region out of "x,y,width,height", in fractions (0.25) or percent (25%) of an upright picture.

    Raises:
        QueryError: it is none, or reaches out of the picture, saying which number is wrong.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4:
        raise QueryError(
            f"the region {text[:60]!r} has {counted(len(parts), 'part')}. Write four numbers, x,y,width,height: "
            "0.25,0.1,0.5,0.4 or 25%,10%,50%,40%."
        )
    numbers: dict[str, float] = {}
    for name, part in zip(("x", "y", "width", "height"), parts, strict=True):
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(%?)", part, re.ASCII)
        if found is None:
            raise QueryError(
                f"the {name} of the region is {part[:20]!r}; write a fraction as 0.25, or a percentage as 25%."
            )
        numbers[name] = float(found[1]) / (100 if found[2] else 1)
        if numbers[name] > 1:
            raise QueryError(f"the {name} of the region is {part}; it goes from 0 to 1, or to 100%.")
    for size, start in (("width", "x"), ("height", "y")):
        if numbers[size] < LEAST_REGION:
            raise QueryError(
                f"the {size} of the region is less than {LEAST_REGION:.0%} of the picture. Take more of it."
            )
        if numbers[start] + numbers[size] > 1 + 1e-9:
            raise QueryError(f"the region reaches out of the picture: {start} and {size} together are more than 100%.")
    return Region(*numbers.values())
