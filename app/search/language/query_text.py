"""A query's text, read from left to right: words, quotations, whatever stands there. Pure; it means nothing yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from app.search.language.spots import PartError, Spot
from indexer.errors import QueryError

OPENING = ('"', "“", "„", "«")
"""Quotation marks, as keyboards of several languages set them in place of what is typed."""
_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”|„([^“”]*)[“”]|«([^»]*)»')
_WORD = re.compile(r"\S*")
_WORD_IN_PARENTHESES = re.compile(r"[^\s)]*")


class QueryText:
    """The text and how far it has been read."""

    def __init__(self, text: str) -> None:
        """Stand at its beginning."""
        self.whole = text
        self.at = 0

    @property
    def rest(self) -> str:
        """What has not been read."""
        return self.whole[self.at :]

    def fault(self, message: str, start: int, end: int | None = None) -> PartError:
        """An error about the part from `start` to `end`, or to where it has been read, without blanks around it."""
        part = self.whole[start : self.at if end is None else end]
        start += len(part) - len(part.lstrip())
        return PartError(message, Spot(self.whole, start, start + max(1, len(part.strip()))))

    @contextmanager
    def about(self, start: int, end: int) -> Iterator[None]:
        """Have an error about no part yet be about this one."""
        try:
            yield
        except PartError:
            raise
        except QueryError as error:
            raise self.fault(str(error), start, end) from error

    def skip(self) -> bool:
        """Go past blanks; whether anything follows."""
        while self.at < len(self.whole) and self.whole[self.at].isspace():
            self.at += 1
        return self.at < len(self.whole)

    def match(self, pattern: re.Pattern[str], ahead: int = 0) -> re.Match[str] | None:
        """What the pattern finds right here, or so many characters ahead; it is not read yet."""
        return pattern.match(self.whole, self.at + ahead)

    def quoted(self) -> str | None:
        """Read a quotation; None where none stands here, or it is never closed."""
        match = self.match(_QUOTED)
        if match is None:
            return None
        self.at = match.end()
        *said, spaced = match.groups()
        return next((one for one in said if one is not None), None) if spaced is None else spaced.strip()

    def word(self, *, in_parentheses: bool) -> str:
        """Read up to the next blank; in parentheses, up to the one that closes them."""
        match = self.match(_WORD_IN_PARENTHESES if in_parentheses else _WORD)
        word = match[0] if match else ""
        self.at += len(word)
        return word

    def value(self, name: str, *, in_parentheses: bool) -> str:
        """Read what stands behind a filter's name: a quotation, or a word.

        Raises:
            PartError: a quotation is never closed.
        """
        quoted = self.quoted()
        if quoted is None and self.rest[:1] in OPENING:
            opened = f"{name}:{short(self.rest)}"
            said = f"{opened} opens a quotation mark that is never closed. Close it, or leave it out."
            raise self.fault(said, self.at, self.at + 1)
        return self.word(in_parentheses=in_parentheses) if quoted is None else quoted


def clean(words: str) -> str:
    """One blank between words, and characters in place of an argument's bytes that are no UTF-8."""
    return " ".join(words.split()).encode("utf-8", "replace").decode()


def dangling(text: str, at: int, operator: str) -> str:
    """What to say of an operator that a text ends with, `at` so many characters from its beginning."""
    before = clean(text[:at])
    shown = before if len(before) <= 40 else "…" + before[-40:]
    return (
        f"{operator} at the end, behind {shown!r}, has nothing to go before. Write what it takes, "
        f'or quote it as a word: {shown} "{operator}".'
    )


def short(text: str, most: int = 40) -> str:
    """A text for a message: a long one is cut."""
    return text if len(text) <= most else text[:most] + "…"
