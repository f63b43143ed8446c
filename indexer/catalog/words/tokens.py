"""Cuts text into the words by which it is found, the same way for photos and for queries. Pure.

Words are folded as those of `place:` and `keyword:` are, which takes more together than the accents that FTS5's own
unicode61 drops: ø and o, ß and ss, wide and narrow letters. So FTS5 is given words that are cut and folded already,
and its ascii tokenizer, which cuts them at blanks alone.

Scripts that put no blanks between words are cut into characters, and what is looked for in them are characters that
follow each other: 東京 and タワー are both found in 東京タワー. A trigram index finds no word of two characters, and is
several times as large.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from indexer.catalog.filters.words import folded

Phrase = tuple[str, ...]
"""Words that follow each other."""

APART = "\u241e"
"""Stands between two texts, so that no phrase reaches from one to the other; no text has it as a word."""

_PLAIN = re.compile(r"[a-z0-9]+")
# Han, kana, and the scripts of Thai, Lao, Burmese and Khmer; Hangul, whose particles follow a word without a blank.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def tokens(text: str) -> list[str]:
    """Give the words of a text in their order, as they are compared; [] where it has none."""
    if text.isascii():
        return _PLAIN.findall(text.lower())
    found: list[str] = []
    for word in folded(text):
        whole = unicodedata.normalize("NFC", word)  # folding takes Korean syllables apart
        found += _UNSPACED.sub(r" \g<0> ", whole).split()
    return found


def joined(texts: Iterable[str]) -> str:
    """Give the words of several texts as one text for FTS5, those of each by themselves."""
    return f" {APART} ".join(filter(None, (" ".join(tokens(text)) for text in texts)))


def expression(phrases: Sequence[Phrase], *, begins: bool = False) -> str:
    """Give the FTS5 query for texts that have each of these phrases: nothing in it can be taken for syntax.

    Args:
        phrases: one at least, each of one word at least, as `tokens` gives them.
        begins: whether the last word of the last phrase may go on.
    """
    return " AND ".join(f'"{" ".join(phrase)}"' for phrase in phrases) + (" *" if begins else "")
