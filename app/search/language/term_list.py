"""What a query looks for, gathered while it is read from left to right: words, terms, and what is left out."""

from __future__ import annotations

import re

from app.search.language.query_text import QueryText, clean
from app.search.query import Query, Term
from indexer.catalog.photo_filter import PhotoFilter
from indexer.errors import QueryError

MAX_TERMS = 32  # each is embedded
MAX_WEIGHT = 100.0


class TermList:
    """The terms so far, and the one that a sign or NOT began."""

    def __init__(self, text: QueryText) -> None:
        """None are read yet of the text, which errors point into."""
        self._text = text
        self._begun = (0, 0)  # where the sign or NOT of the open term stands
        self._plain: list[str] = []  # words of no sign
        self._open: list[str] | None = None  # words of the term that was begun
        self._sign, self._bare = 1.0, False  # of that term, and whether nothing has followed it yet
        self._terms: list[Term] = []
        self._unwanted: list[Term] = []
        self._written: list[str] = []  # what to look for, as it was written
        self.leaves_out = False
        """Whether NOT began the term that is open."""

    @property
    def sign(self) -> float:
        """What holds for weighted parts of the term that is open; 1 where none is."""
        return self._sign if self._open is not None else 1.0

    def begin(self, sign: str) -> None:
        """Begin a term with +, - or NOT, which stands where the text has been read to."""
        self.end()
        self._begun = self._text.at, self._text.at + len(sign)
        self._open, self._bare = [], True
        self._sign, self.leaves_out = -1.0 if sign == "-" else 1.0, sign == "NOT"
        if not self.leaves_out:
            self._written.append(sign)

    def words(self, words: str) -> None:
        """Words of the term that is open, or of no term."""
        words = clean(words)
        if words:
            (self._plain if self._open is None else self._open).append(words)
            if not self.leaves_out:
                self._written.append(words)

    def add(self, term: Term, written: str, *, signed: bool) -> None:
        """A term of its own; with a sign of its own it is nothing that the open one stands before."""
        self._terms.append(term)
        self._written.append(clean(written))
        self._bare &= signed

    def leave_out(self, term: Term) -> None:
        """A term of its own behind NOT."""
        self._unwanted.append(term)
        self._bare = False

    def end(self) -> None:
        """The open term ends here.

        Raises:
            QueryError: it has no word.
        """
        if self._open:
            (self._unwanted if self.leaves_out else self._terms).append(Term(" ".join(self._open), self._sign))
        elif self._open is not None and self._bare:
            said = "a +, - or NOT stands before nothing. Write words behind it, or quote it."
            raise self._text.fault(said, *self._begun)
        self._open, self.leaves_out = None, False

    def query(self, wanted: PhotoFilter) -> Query:
        """The query, with its filter.

        Raises:
            QueryError: there are too many terms.
        """
        plain, unwanted = " ".join(self._plain), tuple(self._unwanted)
        terms = (*([Term(plain)] if plain else []), *self._terms)
        if (count := len(terms) + len(unwanted)) > MAX_TERMS:
            raise QueryError(f"the query has {count:,} terms; at most {MAX_TERMS} are taken. Leave some out.")
        if not self._terms:
            return Query(text=plain, unwanted=unwanted, filter=wanted)
        return Query(text=" ".join(self._written), terms=terms, unwanted=unwanted, filter=wanted)


def amount_of(text: QueryText, weight: re.Match[str]) -> float:
    """How much a weight that was read is.

    Raises:
        PartError: it is out of bounds.
    """
    amount = float(weight[1])
    if not 0 < amount <= MAX_WEIGHT:
        said = f"a weight of {weight[1]} is out of bounds: it is more than 0, and at most {MAX_WEIGHT:g}."
        raise text.fault(said, *weight.span(1))
    return amount
