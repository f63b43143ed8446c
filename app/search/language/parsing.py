"""The query language: from what a person typed to a query. Pure: it asks no catalog and looks at no file.

    two dogs on a beach + "red frisbee" - people after:2021 camera:"Canon EOS R5" -type:video

Words are looked for together. `+` and `-` with a blank behind them begin a term that reaches to the next sign or
filter; right before a word or quoted text they hold for that alone, and so does a weight (`2:beach`). `NOT` before
words begins such a term too: photos that match it are left out. Filters are
`name:value`; `NOT` or `-` before one excludes, `OR` between two takes either, and binds closer than standing side by
side. Parentheses group filters. Quotes keep words together and protect them from all of this.
"""

from __future__ import annotations

import re
from pathlib import Path

from app.search.language.filter_group import FilterGroup
from app.search.language.filter_words import MANY, NAMES, condition, expect_apart, is_filter, unknown
from app.search.language.query_text import OPENING, QueryText, clean, dangling, short
from app.search.language.term_list import TermList, amount_of
from app.search.query import MAX_TEXT, Query, Term
from indexer.catalog.photo_filter import PhotoFilter
from indexer.errors import QueryError

MAX_DEPTH = 20  # of parentheses
_FILTERS = "|".join(NAMES)
_NAMED = re.compile(
    rf"((?:{_FILTERS}|image)(?=：)|[^\W\d][\w-]+(?=:))[:：](?!//)", re.IGNORECASE
)  # as typed in Japanese
_WEIGHT = re.compile(r'(\d{1,6}(?:\.\d{1,6})?):(?=[^\W\d]|["“„«])')
_OPERATOR = re.compile(r"(OR|AND|NOT)(?=[\s(]|$)")
_BEFORE_FILTER = re.compile(r"(?:\s+|\(|-(?!\s)|NOT(?=[\s(])){0,100}")
_WORDS_WITH_FILTERS = re.compile(rf"\(([^()]{{0,200}}?)(?<![^\s(])-?(?:{_FILTERS})[:：]", re.IGNORECASE)
_OR_FOLLOWS = re.compile(r"\s*OR[\s(]")
_IMAGE = "image"
_SIGNS = {"+": 1.0, "-": -1.0}


def parse(text: str, *, pictures: bool = False, beside: PhotoFilter | None = None) -> Query:
    """The query that a text is, with what is asked for beside it.

    Args:
        text: what was typed.
        pictures: whether `image:FILE` may name a file: for a person at this machine, and for nobody else.
        beside: a filter from fields or options, which holds too.

    Raises:
        PartError: a part of the text is not understood, or what stands beside it rules that out.
        QueryError: the text is too long, or has too many terms or filters.
    """
    if len(text) > MAX_TEXT:
        raise QueryError(f"the query has {len(text):,} characters; at most {MAX_TEXT:,} are taken. Shorten it.")
    return _Reader(text, pictures=pictures).query(beside)


class _Reader:
    """One pass over a text, from left to right."""

    def __init__(self, text: str, *, pictures: bool) -> None:
        self._text = QueryText(text)
        self._pictures = pictures
        self._groups = [FilterGroup()]
        self._after_filter = False  # what was read last is one
        self._terms = TermList(self._text)

    def query(self, beside: PhotoFilter | None) -> Query:
        """Read it all."""
        while self._text.skip():
            if not (self._parenthesis() or self._operator() or self._filter()):
                self._expect_no_filter()
                self._after_filter = False
                if not (self._sign_alone() or self._signed()):
                    self._terms.words(self._text.word(in_parentheses=False))
        self._terms.end()
        if len(self._groups) > 1:
            opened = self._groups[-1].opened
            said = "a parenthesis is opened and never closed. Close it, or quote it."
            raise self._text.fault(said, opened, opened + 1)
        self._groups[0].expect_nothing(self._text)
        return self._terms.query(self._groups[0].agreed(self._text, beside))

    # Filters

    def _parenthesis(self) -> bool:
        sign, at = self._text.rest[0], self._text.at
        if self._text.rest.startswith("-(") and self._begins_filter(2):
            self._groups[-1].excludes = not self._groups[-1].excludes
        elif sign == "(" and self._begins_filter(1):
            if len(self._groups) > MAX_DEPTH:
                raise self._text.fault(f"parentheses stand more than {MAX_DEPTH} deep. Take some out.", at, at + 1)
            self._terms.end()
            self._groups.append(FilterGroup(opened=at))
            self._after_filter = False
        elif sign == ")" and len(self._groups) > 1:
            group = self._groups.pop()
            group.expect_nothing(self._text)
            self._groups[-1].add(group.filter(), (group.opened, at + 1))
            self._after_filter = True
        else:
            return False
        self._text.at += 1
        return True

    def _begins_filter(self, ahead: int = 0) -> bool:
        """Whether a filter, or a group of them, stands so many characters ahead."""
        before = self._text.match(_BEFORE_FILTER, ahead)
        named = self._text.match(_NAMED, ahead + len(before[0]) if before else ahead)
        return named is not None and is_filter(named[1].lower())

    def _operator(self) -> bool:
        match = self._text.match(_OPERATOR)
        if match is None:
            return False
        word, follows, group = match[1], self._begins_filter(len(match[1])), self._groups[-1]
        place = match.span(1)
        if word == "NOT" and follows:
            group.excludes = not group.excludes
        elif word == "NOT" and self._begins_unwanted(self._text.rest[len(word) :].strip(), place):
            self._terms.begin(word)
        elif word != "NOT" and follows and self._after_filter:
            group.joins = word == "OR"
        elif word != "NOT" and (follows or self._after_filter):
            said = f"{word} stands between two filters, such as place:a {word} place:b. Quote it as a word."
            raise self._text.fault(said, *place)
        elif not self._text.rest[len(word) :].strip() and not self._text.whole.isupper():
            raise self._text.fault(dangling(self._text.whole, self._text.at, word), *place)
        else:
            return False  # a word among words
        group.operator = place
        self._text.at += len(word)
        return True

    def _begins_unwanted(self, rest: str, place: tuple[int, int]) -> bool:
        """Whether NOT goes before words, rather than being one of them."""
        if rest and len(self._groups) > 1:
            raise self._text.fault("within parentheses NOT goes before a filter, such as NOT place:Lisbon.", *place)
        return bool(rest) and (rest[0] in OPENING or not self._text.whole.isupper())

    def _filter(self) -> bool:
        excludes, start = self._text.rest[0] == "-", self._text.at
        named = self._text.match(_NAMED, int(self._text.rest[0] in _SIGNS))
        if named is None:
            expect_apart(self._text, self._text.at, len(self._text.whole))
            return False
        if (name := named[1].lower()) == _IMAGE:
            return False
        if not is_filter(name):
            if named.end() == len(self._text.whole) or self._text.whole[named.end()].isspace():
                return False  # a colon as in a sentence
            raise self._text.fault(unknown(name, self._text.whole[named.end() :].split()[0]), *named.span(1))
        self._terms.end()
        self._text.at = named.end()
        quoted, group = self._text.rest[:1] in OPENING, self._groups[-1]
        value = self._text.value(name, in_parentheses=len(self._groups) > 1)
        if not quoted:
            expect_apart(self._text, named.end(), self._text.at)
        if not (excludes or group.excludes or group.joins or name in MANY or self._text.match(_OR_FOLLOWS)):
            if name in group.names:
                said = f"{name}: stands twice in the query. Leave one, or write OR between them."
                raise self._text.fault(said, start)
            group.names.add(name)
        group.excludes ^= excludes
        end = self._text.at
        with self._text.about(named.end() if end > named.end() else named.start(), end):
            group.add(condition(name, value), (start, end))
        self._after_filter = True
        return True

    def _expect_no_filter(self) -> None:
        """Words come: they may not stand where a filter must."""
        self._groups[-1].expect_nothing(self._text)
        mixed = self._text.match(_WORDS_WITH_FILTERS)
        if len(self._groups) > 1 or mixed:
            start, found = self._text.at, short(self._text.rest)
            end = start + len(self._text.word(in_parentheses=True))
            said = f"only filters stand in parentheses with filters, not {found!r}. Take the words out of them."
            raise self._text.fault(said, *(mixed.span(1) if mixed else (start, end)))

    # What to look for

    def _sign_alone(self) -> bool:
        """A sign with a blank behind it: it begins a term of all words up to the next."""
        rest = self._text.rest
        if rest[0] not in _SIGNS or not (len(rest) == 1 or rest[1].isspace()):
            return False
        self._terms.begin(rest[0])
        self._text.at += 1
        return True

    def _signed(self) -> bool:
        """A word, quotation or picture, with a sign or a weight right before it or without; words alone are none."""
        text, start = self._text, self._text.at
        begin = int(text.rest[0] in _SIGNS)
        weight = text.match(_WEIGHT, begin)
        begin += len(weight[0]) if weight else 0
        named = text.match(_NAMED, begin)
        picture = named is not None and named[1].lower() == _IMAGE
        follows = text.rest[begin : begin + 1]
        plain = begin == 0 and not picture
        if (plain and follows not in OPENING) or not (weight or picture or follows.isalpha() or follows in OPENING):
            return False  # a word, a number, or a dash
        amount = _SIGNS.get(text.rest[0], 1.0) * (amount_of(text, weight) if weight else 1.0)
        if self._terms.leaves_out and not plain:
            return self._behind_not(weight)
        signed = text.rest[0] in _SIGNS
        if not plain and not signed:  # within a term, its sign holds
            amount *= self._terms.sign
        text.at += begin
        if picture:
            term = Term(weight=amount, picture=self._picture())
            self._terms.add(term, text.whole[start : text.at], signed=signed)
            return True
        quoted = text.quoted()
        if quoted is None and named:
            said = f"{short(text.rest)!r} is a filter: no sign but - and no weight stands before one."
            raise text.fault(said, start, named.end())
        phrase = clean(text.word(in_parentheses=False) if quoted is None else quoted)
        if plain or not phrase:
            self._terms.words(phrase)
        else:
            self._terms.add(Term(phrase, amount), text.whole[start : text.at], signed=signed)
        return True

    def _behind_not(self, weight: re.Match[str] | None) -> bool:
        """What stands behind NOT: a picture; a sign ends the term, and a weight says nothing there."""
        if self._text.rest[0] in _SIGNS:
            self._terms.end()
            return self._signed()
        if weight:
            said = "NOT leaves photos out, whatever their weight. Take the weight away."
            raise self._text.fault(said, *weight.span())
        self._terms.leave_out(Term(picture=self._picture()))
        return True

    def _picture(self) -> Path:
        start = self._text.at
        self._text.at += len(_IMAGE) + 1
        if not self._pictures:
            said = "image: is for 'picsift search' on this machine alone. Here, add the picture itself."
            raise self._text.fault(said, start)
        value = self._text.value(_IMAGE, in_parentheses=len(self._groups) > 1)
        if not value.strip():
            raise self._text.fault("image: needs a file right behind it, such as image:/home/me/dog.jpg.", start)
        try:
            return Path(value).expanduser()
        except RuntimeError:  # of nobody's home
            return Path(value)
