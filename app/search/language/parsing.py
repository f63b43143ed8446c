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

from app.search.language.filter_group import FilterGroup, possible
from app.search.language.filter_words import MANY, NAMES, condition, is_filter, unknown
from app.search.language.query_text import QueryText, clean, dangling, short
from app.search.language.term_list import TermList
from app.search.query import MAX_TEXT, Query, Term
from indexer.errors import QueryError

MAX_WEIGHT = 100.0
MAX_DEPTH = 20  # of parentheses
_NAMED = re.compile(r"([^\W\d][\w-]+):(?!//)")
_WEIGHT = re.compile(r'(\d{1,6}(?:\.\d{1,6})?):(?=[^\W\d]|["“])')
_OPERATOR = re.compile(r"(OR|AND|NOT)(?=[\s(]|$)")
_BEFORE_FILTER = re.compile(r"(?:\s+|\(|-(?!\s)|NOT(?=[\s(])){0,100}")
_WORDS_WITH_FILTERS = re.compile(rf"\([^()]{{0,200}}?(?<![^\s(])-?(?:{'|'.join(NAMES)}):", re.IGNORECASE)
_OR_FOLLOWS = re.compile(r"\s*OR[\s(]")
_IMAGE = "image"
_SIGNS = {"+": 1.0, "-": -1.0}


def parse(text: str, *, pictures: bool = False) -> Query:
    """The query that a text is.

    Args:
        text: what was typed.
        pictures: whether `image:FILE` may name a file: for a person at this machine, and for nobody else.

    Raises:
        QueryError: the text is too long, or something in it is not understood; the message says what.
    """
    if len(text) > MAX_TEXT:
        raise QueryError(f"the query has {len(text):,} characters; at most {MAX_TEXT:,} are taken. Shorten it.")
    return _Reader(text, pictures=pictures).query()


class _Reader:
    """One pass over a text, from left to right."""

    def __init__(self, text: str, *, pictures: bool) -> None:
        self._text = QueryText(text)
        self._pictures = pictures
        self._groups = [FilterGroup()]
        self._after_filter = False  # what was read last is one
        self._terms = TermList()

    def query(self) -> Query:
        """Read it all."""
        while self._text.skip():
            if not (self._parenthesis() or self._operator() or self._filter()):
                self._expect_no_filter()
                self._after_filter = False
                if not (self._sign_alone() or self._signed()):
                    self._terms.words(self._text.word(in_parentheses=False))
        self._terms.end()
        if len(self._groups) > 1:
            raise QueryError("a parenthesis is opened and never closed. Close it, or quote it.")
        self._groups[0].expect_nothing()
        return self._terms.query(possible(self._groups[0].filter()))

    # Filters

    def _parenthesis(self) -> bool:
        sign = self._text.rest[0]
        if self._text.rest.startswith("-(") and self._begins_filter(2):
            self._groups[-1].excludes = not self._groups[-1].excludes
        elif sign == "(" and self._begins_filter(1):
            if len(self._groups) > MAX_DEPTH:
                raise QueryError(f"parentheses stand more than {MAX_DEPTH} deep. Take some out.")
            self._terms.end()
            self._groups.append(FilterGroup())
            self._after_filter = False
        elif sign == ")" and len(self._groups) > 1:
            group = self._groups.pop()
            group.expect_nothing()
            self._groups[-1].add(group.filter())
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
        if word == "NOT" and follows:
            group.excludes = not group.excludes
        elif word == "NOT" and self._begins_unwanted(self._text.rest[len(word) :].strip()):
            self._terms.begin(word)
        elif word != "NOT" and follows and self._after_filter:
            group.joins = word == "OR"
        elif word != "NOT" and (follows or self._after_filter):
            raise QueryError(f"{word} stands between two filters, such as place:a {word} place:b. Quote it as a word.")
        elif not self._text.rest[len(word) :].strip() and not self._text.whole.isupper():
            raise QueryError(dangling(self._text.whole, self._text.at, word))
        else:
            return False  # a word among words
        self._text.at += len(word)
        return True

    def _begins_unwanted(self, rest: str) -> bool:
        """Whether NOT goes before words, rather than being one of them."""
        if rest and len(self._groups) > 1:
            raise QueryError("within parentheses NOT goes before a filter, such as NOT place:Lisbon.")
        return bool(rest) and (rest[0] in '"“' or not self._text.whole.isupper())

    def _filter(self) -> bool:
        excludes = self._text.rest[0] == "-"
        named = self._text.match(_NAMED, int(self._text.rest[0] in _SIGNS))
        if named is None or (name := named[1].lower()) == _IMAGE:
            return False
        if not is_filter(name):
            if named.end() == len(self._text.whole) or self._text.whole[named.end()].isspace():
                return False  # a colon as in a sentence
            raise QueryError(unknown(name, self._text.whole[named.end() :].split()[0]))
        self._terms.end()
        self._text.at = named.end()
        value, group = self._value(name), self._groups[-1]
        if not (excludes or group.excludes or group.joins or name in MANY or self._text.match(_OR_FOLLOWS)):
            if name in group.names:
                raise QueryError(f"{name}: stands twice in the query. Leave one, or write OR between them.")
            group.names.add(name)
        group.excludes ^= excludes
        group.add(condition(name, value))
        self._after_filter = True
        return True

    def _value(self, name: str) -> str:
        quoted = self._text.quoted()
        if quoted is None and self._text.rest[:1] in ('"', "“"):
            opened = f"{name}:{short(self._text.rest)}"
            raise QueryError(f"{opened} opens a quotation mark that is never closed. Close it, or leave it out.")
        return self._text.word(in_parentheses=len(self._groups) > 1) if quoted is None else quoted

    def _expect_no_filter(self) -> None:
        """Words come: they may not stand where a filter must."""
        self._groups[-1].expect_nothing()
        if len(self._groups) > 1 or self._text.match(_WORDS_WITH_FILTERS):
            found = short(self._text.rest)
            raise QueryError(
                f"only filters stand in parentheses with filters, not {found!r}. Take the words out of them."
            )

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
        if (plain and follows not in ('"', "“")) or not (
            weight or picture or follows.isalpha() or follows in ('"', "“")
        ):
            return False  # a word, a number, or a dash
        amount = _SIGNS.get(text.rest[0], 1.0) * (_amount(weight[1]) if weight else 1.0)
        if self._terms.leaves_out and not plain:
            return self._behind_not(weighted=weight is not None)
        signed = text.rest[0] in _SIGNS
        if not plain and not signed:  # within a term, its sign holds
            amount *= self._terms.sign
        text.at += begin
        if picture:
            term = Term(weight=amount, picture=self._picture())
            self._terms.add(term, text.whole[start : text.at], signed=signed)
            return True
        quoted = text.quoted()
        if quoted is None and text.match(_NAMED):
            raise QueryError(f"{short(text.rest)!r} is a filter: no sign but - and no weight stands before one.")
        phrase = clean(text.word(in_parentheses=False) if quoted is None else quoted)
        if plain or not phrase:
            self._terms.words(phrase)
        else:
            self._terms.add(Term(phrase, amount), text.whole[start : text.at], signed=signed)
        return True

    def _behind_not(self, *, weighted: bool) -> bool:
        """What stands behind NOT: a picture; a sign ends the term, and a weight says nothing there."""
        if self._text.rest[0] in _SIGNS:
            self._terms.end()
            return self._signed()
        if weighted:
            raise QueryError("NOT leaves photos out, whatever their weight. Take the weight away.")
        self._terms.leave_out(Term(picture=self._picture()))
        return True

    def _picture(self) -> Path:
        self._text.at += len(_IMAGE) + 1
        if not self._pictures:
            raise QueryError("image: is for 'picsift search' on this machine alone. Here, add the picture itself.")
        value = self._value(_IMAGE)
        if not value.strip():
            raise QueryError("image: needs a file right behind it, such as image:/home/me/dog.jpg.")
        try:
            return Path(value).expanduser()
        except RuntimeError:  # of nobody's home
            return Path(value)


def _amount(number: str) -> float:
    amount = float(number)
    if not 0 < amount <= MAX_WEIGHT:
        raise QueryError(f"a weight of {number} is out of bounds: it is more than 0, and at most {MAX_WEIGHT:g}.")
    return amount
