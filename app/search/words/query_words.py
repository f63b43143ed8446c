"""Which words a photo has to carry to be found by them: all that a query looks for, but the most common ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from app.search.query import Query
from indexer.catalog.words.tokens import Phrase, tokens

MOST_WORDS = 32  # a longer text is a description of what to see; no photo carries all of it

# English, as the queries that the text towers read. Of a word that is missing here, or of another language, one more
# has to be carried, so that less is found by words and nothing wrong.
_COMMON = (
    "a about after all along also am among an and are around as at be been before behind being below beneath "
    "beside between by can do does for from had has have he her here his i in inside into is it its me my "
    "near nearby next no not of off on onto or our out outside over she so some t than that the their them "
    "there these they this those through to together towards under up very was we were what when where which "
    "while who with within without you your s d ll m re ve image images img photo photograph photographs "
    "photography photos pic pics picture pictures shot showing shows "
)
COMMON = frozenset(_COMMON.split())
"""Words of any query, of what stands before the thing itself ('a photo of'), and what an apostrophe leaves ('s)."""


def wanted(query: Query) -> list[Phrase]:
    """The words that a photo has to carry, each once: all of the query, of several terms those of each.

    None where there is nothing but common words, or too many: then no photo is found by its words. Nor is one where a
    picture is looked for: what is mixed with it is meant as a picture too.
    """
    if query.image is not None or any(term.picture for term in query.terms if term.weight > 0):
        return []
    telling = _phrases([term.text for term in query.terms if term.weight > 0] if query.terms else [query.text])
    return telling if len(telling) <= MOST_WORDS else []


def subtracted(query: Query) -> list[list[Phrase]]:
    """For each term with a minus the words that a photo must not carry all of, to be found by its words."""
    minus = (_phrases([term.text]) for term in query.terms if term.weight < 0)
    return [phrases for phrases in minus if 0 < len(phrases) <= MOST_WORDS]


def _phrases(texts: Iterable[str]) -> list[Phrase]:
    """The words of texts that tell something; one that signs part, such as IMG_1234, is a phrase of its parts."""
    found = dict.fromkeys(tuple(tokens(word)) for text in texts for word in text.split())
    return [phrase for phrase in found if not COMMON.issuperset(phrase)]
