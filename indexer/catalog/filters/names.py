"""Decides which file names a `name:` filter means. Pure."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from functools import lru_cache


def matches(name: str, wanted: str) -> bool:
    """Whether a file's name has the wanted text in it; one with * or ? is a pattern of the whole name.

    Upper and lower case, and the two ways to write an accent, are the same.
    """
    return pattern(wanted).search(same(name)) is not None


@lru_cache(maxsize=8)
def pattern(wanted: str) -> re.Pattern[str]:
    """What is to be found in a name in the form in which names are compared."""
    text = same(wanted)
    if not is_pattern(text):
        return re.compile(re.escape(text))
    whole = fnmatch.translate(text.replace("[", "[[]"))  # which never goes back over what it has matched
    return re.compile(rf"\A{whole}")


def same(text: str) -> str:
    """A name in the form in which names are compared."""
    return unicodedata.normalize("NFC", text).casefold()


def is_pattern(wanted: str) -> bool:
    """Whether it is a pattern of whole names rather than a part of them."""
    return bool(set(wanted) & {"*", "?"})
