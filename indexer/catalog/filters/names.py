"""Decides which file names a `name:` filter means. Pure."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from functools import lru_cache


def matches(name: str, wanted: str) -> bool:
    """Whether a file's name has the wanted text in it; one with * or ? is a pattern of the whole name.

    Upper and lower case, and the two ways to write an accent, are the same. A ? is one letter as it is written, which
    ß is, and one of those that it counts as, which are two s.
    """
    if pattern(wanted).search(same(name)) is not None:
        return True
    letters = by_letters(name) if is_pattern(wanted) else None
    return letters is not None and letter_pattern(wanted).search(letters) is not None


@lru_cache(maxsize=8)
def pattern(wanted: str) -> re.Pattern[str]:
    """What is to be found in a name in the form in which names are compared."""
    text = same(wanted)
    return _whole(text) if is_pattern(text) else re.compile(re.escape(text))


@lru_cache(maxsize=8)
def letter_pattern(wanted: str) -> re.Pattern[str]:
    """What a pattern asks of a name that `by_letters` gives."""
    return _whole("".join(map(_small, unicodedata.normalize("NFC", wanted))))


def by_letters(name: str) -> str | None:
    """A name in small letters, each of them still one; None where `same` keeps each one too, as in nearly all names."""
    composed = unicodedata.normalize("NFC", name)
    return None if len(composed.casefold()) == len(composed) else "".join(map(_small, composed))


def _small(letter: str) -> str:
    """The letter as upper and lower case have it in common, or the small one, where that is one letter."""
    return next((small for small in (letter.casefold(), letter.lower()) if len(small) == 1), letter)


def _whole(text: str) -> re.Pattern[str]:
    translated = fnmatch.translate(text.replace("[", "[[]"))  # which never goes back over what it has matched
    return re.compile(rf"\A{translated}")


def same(text: str) -> str:
    """A name in the form in which names are compared."""
    return unicodedata.normalize("NFC", text).casefold()


def is_pattern(wanted: str) -> bool:
    """Whether it is a pattern of whole names rather than a part of them."""
    return bool(set(wanted) & {"*", "?"})
