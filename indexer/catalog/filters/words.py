"""Words that stand together in a name, whatever their case and accents. Pure."""

from __future__ import annotations

import unicodedata

Words = tuple[str, ...]
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})


def folded(text: str) -> Words:
    """Give the words of a name in the form in which they are compared."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_PLAIN)
    apart = unicodedata.normalize("NFKD", plain).casefold()  # folding can leave what comes apart again
    letters = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return tuple("".join(letter if letter.isalnum() else " " for letter in letters).split())


def contains(words: Words, part: Words) -> bool:
    """Whether the words of `part` follow each other in `words`; no words are in everything."""
    return any(words[at : at + len(part)] == part for at in range(len(words) - len(part) + 1))


def says(name: str, wanted: str) -> bool:
    """Whether the wanted words stand together in a name; signs alone must be there as they are."""
    part = folded(wanted)
    return contains(folded(name), part) if part else bool(wanted.strip()) and wanted.strip() in name
