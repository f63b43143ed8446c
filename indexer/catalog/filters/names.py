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
    return _pattern(wanted).search(_same(name)) is not None


@lru_cache(maxsize=8)
def _pattern(wanted: str) -> re.Pattern[str]:
    text = _same(wanted)
    if not set(text) & {"*", "?"}:
        return re.compile(re.escape(text))
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))  # which never goes back over what it has matched


def _same(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
