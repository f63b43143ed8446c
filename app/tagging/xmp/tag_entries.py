"""Tag paths and the entries that stand for them in the lists of a sidecar; which entries go and which come. Pure.

A level's name may hold the mark that parts levels in a list. There it is written as its lookalike, U+2223 for the bar
of lr:hierarchicalSubject and U+2215 for the slash of digiKam:TagsList: other programs show the same name on the same
level, where the mark itself would make two levels of one. In return both lookalikes are read as the plain marks, in
every list, since other programs copy entries from one list to another. dc:subject has no levels and keeps the marks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Path = tuple[str, ...]
"""The names of the levels, the outermost first."""

BAR = "|"
SLASH = "/"
BAR_NAMED, SLASH_NAMED = "∣", "∕"  # the lookalikes: the marks within a name
_LOOKALIKES = {BAR: BAR_NAMED, SLASH: SLASH_NAMED}
_PLAIN = str.maketrans({lookalike: mark for mark, lookalike in _LOOKALIKES.items()})
_LINE_END = re.compile("\r\n|[\n\r\t\x85\u2028\u2029]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def sound_text(text: str) -> str:
    """A text with what XML can hold of it, and with line ends as XML reads them."""
    return _NOT_XML.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def clean_name(name: str) -> str:
    """A name on one line, without controls and outer blanks, in NFC: equal names are equal strings."""
    line = _CONTROL.sub("", _LINE_END.sub(" ", name))
    return unicodedata.normalize("NFC", _NOT_XML.sub("", line)).strip()


def clean_level(name: str) -> str:
    """A level's clean name, in which the lookalikes are the plain marks."""
    return clean_name(name.translate(_PLAIN))


def clean_path(path: Iterable[str]) -> Path:
    """The clean names of a path, those that are empty left out."""
    return tuple(level for level in map(clean_level, path) if level)


def clean_paths(paths: Iterable[Iterable[str]]) -> list[Path]:
    """Each clean path once, in their order."""
    return [path for path in dict.fromkeys(map(clean_path, paths)) if path]


def entry(path: Path, mark: str) -> str:
    """What stands for a clean path in a list whose levels are parted by a mark; "" for a list without levels."""
    return mark.join(level.replace(mark, _LOOKALIKES[mark]) for level in path)


def path_of(entry: str, mark: str) -> Path:
    """The clean path that an entry stands for."""
    return clean_path(entry.split(mark) if mark else [entry])


@dataclass(frozen=True)
class TagLists:
    """The entries of the three lists as they stand, as clean paths; a word is a path of one level."""

    words: list[Path]
    bars: list[Path]
    slashes: list[Path]

    def tags(self) -> list[Path]:
        """Every tag once: the paths, then the words that are no level of one."""
        paths = [path for path in dict.fromkeys([*self.bars, *self.slashes]) if path]
        levels = {level for path in paths for level in path}
        return paths + [word for word in dict.fromkeys(self.words) if word and word[0] not in levels]


@dataclass(frozen=True)
class ListChange:
    """What becomes of a list: these of its entries go, and these paths come."""

    drop: frozenset[Path] = frozenset()
    append: tuple[Path, ...] = ()


@dataclass(frozen=True)
class TagChange:
    """What becomes of the three lists, and the tags that they then say."""

    tags: tuple[Path, ...]
    words: ListChange
    bars: ListChange
    slashes: ListChange


def tag_change(lists: TagLists, add: Iterable[Path], remove: Iterable[Path]) -> TagChange:
    """Plan the removal of some tags and the addition of others, which win.

    A tag that comes is written to all three lists. Both lists of paths are then completed with the tags that were
    there: digiKam reads the first list that it finds and no other, so a list of the new tags alone would hide the old.
    Words are left out only where no remaining path has them as a level.
    """
    had, wanted = lists.tags(), clean_paths(add)
    removed = frozenset(clean_paths(remove)).intersection(had).difference(wanted)
    tags = list(dict.fromkeys([*(tag for tag in had if tag not in removed), *wanted]))
    needed = _words_of(tags)
    missing = any(not {path}.issubset(listed) for path in wanted for listed in (lists.bars, lists.slashes))
    complete = not missing and _words_of(wanted) <= set(lists.words)
    return TagChange(
        tuple(tags),
        ListChange(frozenset(_words_of(removed) - needed), () if complete else _new(_flat(wanted), lists.words)),
        ListChange(removed, () if complete else _new(tags, lists.bars)),
        ListChange(removed, () if complete else _new(tags, lists.slashes)),
    )


def _flat(paths: Iterable[Path]) -> list[Path]:
    return [(level,) for path in paths for level in path]


def _words_of(paths: Iterable[Path]) -> set[Path]:
    return set(_flat(paths))


def _new(paths: Iterable[Path], listed: Sequence[Path]) -> tuple[Path, ...]:
    known = set(listed)
    return tuple(path for path in dict.fromkeys(paths) if path not in known)
