"""Decides which places a `place:` filter means. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

_Words = tuple[str, ...]
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})


def matching(wanted: str, places: Iterable[tuple[int, str, str, str]]) -> Iterator[int]:
    """Give the numbers of the places that are meant; `places` are (number, city, region, country).

    Whole words that stand together in one of the names; each part between commas must be found ("Paris, France").
    Upper and lower case are the same, and so are letters with and without their accents.
    """
    parts = [part for part in map(folded, wanted.split(",")) if part]
    for number, *written in places if parts else ():
        names = [folded(name) for name in written]
        if all(any(_contains(name, part) for name in names) for part in parts):
            yield number


def folded(text: str) -> _Words:
    """Give the words of a name in the form in which they are compared."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_PLAIN)
    apart = unicodedata.normalize("NFKD", plain).casefold()  # folding can leave what comes apart again
    letters = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return tuple("".join(letter if letter.isalnum() else " " for letter in letters).split())


def _contains(words: _Words, part: _Words) -> bool:
    return any(words[at : at + len(part)] == part for at in range(len(words) - len(part) + 1))
