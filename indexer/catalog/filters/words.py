"""Words that stand together in a name, whatever their case and accents. Pure."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

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


def spoken(*parts: str | None) -> list[str]:
    """The names that texts one after the other make: all of them, and with the first word of the first alone.

    Of a make and a model so "NIKON CORPORATION D850" and "NIKON D850", as the camera is called.
    """
    said = [part for part in parts if part]
    whole = " ".join(said)
    short = " ".join([*said[0].split()[:1], *said[1:]]) if len(said) > 1 else whole
    return list(dict.fromkeys((whole, short)))


class SaidNames:
    """Names, made ready to be asked many times which of them say something."""

    def __init__(self, names: Iterable[str], *others: Iterable[str]) -> None:
        """Take names in an order of their own, and lists of what each is also called, in the same order."""
        self.names = list(names)
        self._others = [list(each) for each in others]
        every = zip(self.names, *self._others, strict=True)
        self._words = [[folded(name) for name in dict.fromkeys(each)] for each in every]
        self._with: defaultdict[str, list[int]] = defaultdict(list)
        for place, called in enumerate(self._words):
            for word in {word for words in called for word in words}:
                self._with[word].append(place)

    def __len__(self) -> int:
        """How many names there are."""
        return len(self.names)

    def saying(self, wanted: str) -> Sequence[int]:
        """Give the places of the names for which `says` holds."""
        part = folded(wanted)
        if not part:
            named = enumerate(zip(self.names, *self._others, strict=True))
            return [place for place, each in named if any(says(name, wanted) for name in each)]
        near = self._with.get(part[0], [])
        if len(part) == 1:
            return near
        return [place for place in near if any(contains(words, part) for words in self._words[place])]
