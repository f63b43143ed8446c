"""English phrases about what photos show, for teaching a text tower: made from WordNet and from captions.

WordNet is read from its own files (Debian's `wordnet-base` puts them in /usr/share/wordnet). Pure apart from that.
Sources: Fellbaum (ed.), WordNet: An Electronic Lexical Database, MIT Press 1998; file formats in wndb(5WN).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Lexicographer files (lexnames(5WN)) whose nouns can be seen in a photo.
_THINGS = {"05": "animal", "06": "artifact", "08": "body", "13": "food", "17": "object", "18": "person", "20": "plant"}
_PLACES = {"15": "location"}
_EVENTS = {"04": "act", "11": "event", "19": "phenomenon"}
_ATTRIBUTES = (
    "red|orange|yellow|green|blue|purple|pink|brown|black|white|gray|golden|silver|small|big|large|tiny|huge|old|young"
    "|new|wooden|metal|plastic|glass|stone|wet|dry|dirty|clean|happy|sad|smiling|sleeping|running|sitting|standing"
    "|jumping|flying|swimming|broken|empty|full|bright|dark|colorful|striped|spotted|fluffy|shiny|tall|short|round"
    "|open|closed|cute|beautiful|snowy|sunny|rainy|foggy"
)
_ACTIONS = (
    "running|walking|sitting|standing|jumping|sleeping|eating|drinking|playing|swimming|flying|climbing"
    "|riding a bike|riding a horse|driving|smiling|laughing|dancing|singing|reading a book|looking at the camera"
    "|holding a phone|holding a baby|throwing a ball|catching a frisbee|kicking a ball|skiing|snowboarding"
    "|surfing|skateboarding|cooking|working|talking|waiting|resting|hiking|fishing|painting|taking a photo"
    "|wearing a hat|wearing glasses"
)
_SCENES = (
    "beach|street|forest|park|mountain|lake|river|sea|garden|kitchen|bedroom|bathroom|living room|office|city|village"
    "|field|desert|snow|grass|water|road|bridge|restaurant|shop|market|church|museum|school|stadium|playground|pool"
    "|table|plate|chair|couch|bed|floor|wall|window|tree|boat|car|train|rock|sand|night sky|sunset|bench|fence|stage"
)
_PEOPLE = (
    "man|woman|boy|girl|child|baby|person|couple|family|group of people|crowd|old man|old woman|young man"
    "|young woman|group of friends|father and son|mother and child|bride and groom|dog|cat|horse|bird|brown dog"
    "|black dog|white dog|cow|sheep|two dogs|two people|three children"
)
_PREPOSITIONS = ("on a", "in a", "near a", "in front of a", "next to a", "at the", "with a", "by the", "under a")
_FRAMES = ("{}", "a photo of {}", "a picture of {}", "an image of {}", "a close-up photo of {}", "a photo of the {}")
_BREAKS = re.compile(r"\s+(?:while|and|as|with|in|on|near|at|by|of|through|over|under|next to|in front of)\s+")


@dataclass(frozen=True)
class Noun:
    """A noun that can be seen: its words, its kind, its definition, how often WordNet's tagged texts have it."""

    word: str
    kind: str
    definition: str
    count: int


def read_nouns(wordnet: Path) -> list[Noun]:
    """WordNet's nouns of things, places and events, the most frequent first.

    Raises:
        FileNotFoundError: when the folder holds no WordNet.
    """
    counts = _counts(wordnet / "cntlist.rev")
    kinds = _THINGS | _PLACES | _EVENTS
    nouns: dict[str, Noun] = {}
    with (wordnet / "data.noun").open(encoding="utf-8") as file:
        for line in file:
            if line.startswith(" ") or line[9:11] not in kinds:
                continue
            data, gloss = line.split(" | ", 1)
            fields = data.split()
            definition = gloss.split(";")[0].split('"')[0].strip()
            for lemma in fields[4 : 4 + 2 * int(fields[3], 16) : 2]:
                word = lemma.replace("_", " ")
                count = counts.get(f"{lemma.lower()}%1:{line[9:11]}", 0)
                if word not in nouns or nouns[word].count < count:
                    nouns[word] = Noun(word, kinds[line[9:11]], definition, count)
    return sorted(nouns.values(), key=lambda noun: (-noun.count, noun.word))


def _counts(path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            sense, _, count = line.split()
            key = ":".join(sense.split(":")[:2])
            counts[key] = counts.get(key, 0) + int(count)
    return counts


def article(noun: str) -> str:
    """The noun with an indefinite article, unless it is a name or a plural."""
    if noun[:1].isupper() or (noun.endswith("s") and not noun.endswith(("ss", "us", "is"))):
        return noun
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def noun_phrases(nouns: Sequence[Noun], rng: np.random.Generator) -> Iterator[str]:
    """Each noun bare and in a frame; the frequent ones also with attributes and by their definition."""
    attributes = _ATTRIBUTES.split("|")
    for noun in nouns:
        yield noun.word
        frame = _FRAMES[rng.integers(len(_FRAMES))]
        yield frame.format(noun.word if "the {}" in frame else article(noun.word))
        if noun.count:
            yield noun.definition
            for attribute in rng.choice(attributes, 2, replace=False):
                yield article(f"{attribute} {noun.word}")


def scene_sentences(nouns: Sequence[Noun], number: int, rng: np.random.Generator) -> Iterator[str]:
    """Invented captions: somebody or something, doing something, somewhere."""
    actions, scenes, people, attributes = (words.split("|") for words in (_ACTIONS, _SCENES, _PEOPLE, _ATTRIBUTES))
    things = [noun.word for noun in nouns if noun.kind in _THINGS.values() and noun.count]
    for _ in range(number):
        who = _pick(rng, people) if rng.random() < 0.5 else _pick(rng, things)
        if rng.random() < 0.3:
            who = f"{_pick(rng, attributes)} {who}"
        what = f" {_pick(rng, actions)}" if rng.random() < 0.5 else ""
        where = f" {_pick(rng, _PREPOSITIONS)} {_pick(rng, scenes if rng.random() < 0.6 else things)}"
        sentence = f"{article(who)}{what}{where if rng.random() < 0.8 else ''}"
        yield f"a photo of {sentence}" if rng.random() < 0.2 else sentence


def caption_parts(captions: Iterable[str]) -> Iterator[str]:
    """Clauses of captions of at least two words, so that short queries are known as well as whole sentences."""
    for caption in captions:
        parts = _BREAKS.split(caption.strip().rstrip("."))
        if len(parts) > 1:
            yield from (part for part in parts if len(part.split()) > 1)


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]
