"""What a page of hits is asked by: the query as it was understood, and the photos that earlier pages handed out.

What a query looks for stays as it was on its first page: the vector, with its marks, and how cosines are read. What the
library holds, and what the filters pass, is asked anew for each page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.search.paging.handed_out import NOBODY, Ids, with_hits
from indexer.errors import PicsiftError

if TYPE_CHECKING:
    from app.search.background import Calibration, Sought
    from app.search.query import Query
    from app.search.ranking import Hit
    from indexer.catalog.records import ModelRecord

OWN_BYTES = 2_000  # of one that is kept, about, beside what is counted
LETTER_BYTES = 4  # at most, of a character
TERM_BYTES = 400  # beside its characters
FILTER_LETTERS = 2  # counted for each of how a filter is written down, since it is objects for few characters
MARK_BYTES = 300  # of a photo and its content


class CursorGoneError(PicsiftError):
    """A search cannot be gone on with."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One page of a query; for the first one nothing was handed out.

    Attributes:
        name: of the query, for its answers.
        query: which page, filter and order; its picture and its marks count for the first page alone.
        model: that answers; None where none is asked.
        file: which file the catalog was, as `DataVersion` tells: in another one ids stand for other photos.
        sought: what is looked for, marks included; None of filters alone, and before it is known.
        calibration: how its cosines are read; None where relevance is unknown.
        without: photos that are no hits, and their contents: what hits shall be like, what was marked wrong, copies.
        handed_out: (n,) the photos of earlier pages, and the copies behind them, sorted.
        search: which search it is a page of: the same thing for all pages that follow each other.
    """

    name: str
    query: Query
    model: ModelRecord | None
    file: int
    sought: Sought | None = None
    calibration: Calibration | None = None
    without: Mapping[int, str | None] = field(default_factory=dict)
    handed_out: Ids = field(default_factory=lambda: NOBODY)
    search: object = field(default_factory=object)

    def following(self, hits: Sequence[Hit], *, has_more: bool) -> Asked | None:
        """What the page behind these hits is asked by; None where none follows, or the query has an offset.

        Whoever pages by offset skips photos that nobody handed out.
        """
        if not has_more or self.query.offset:
            return None
        query = self.query if self.query.image is None else replace(self.query, image=None)
        return replace(self, query=query, handed_out=with_hits(self.handed_out, hits))

    def expect(self, model: ModelRecord | None, file: int) -> None:
        """Go on only with the same model, None where none is asked, and file of the catalog.

        Raises:
            CursorGoneError: it is another one.
        """
        own, now = (None if one is None else one.fingerprint for one in (self.model, model))
        if self.file != file or own != now:
            raise CursorGoneError("the library has another model, or is another one, since this search. Search again.")

    @property
    def bytes(self) -> int:
        """What it takes in memory, rather more than less, as if it shared nothing with the pages before it."""
        query = self.query
        terms = (*query.terms, *query.unwanted)
        letters = len(self.name) + len(query.text) + sum(len(term.text) for term in terms)
        if query.filter:
            letters += FILTER_LETTERS * len(repr(query.filter))
        vector = 0 if self.sought is None else self.sought.vector.nbytes
        marks = len(self.without) + len(query.right) + len(query.wrong)
        others = TERM_BYTES * len(terms) + MARK_BYTES * marks + vector + self.handed_out.nbytes
        return OWN_BYTES + LETTER_BYTES * letters + others
