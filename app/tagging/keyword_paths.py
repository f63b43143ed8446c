"""Which tags keywords mean: those of a sidecar exactly, from its own lists; others by the signs in their texts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from app.tag_path import clean_path
from app.tagging.xmp.document import SidecarError, open_document
from app.tagging.xmp.people import people, program
from app.tagging.xmp.properties import MARKS, resource
from app.tagging.xmp.tag_entries import BAR, BAR_NAMED, SLASH, SLASH_NAMED, entry, path_of
from app.tagging.xmp.tag_entries import clean_path as written
from indexer.catalog.tag_records import TagPath
from indexer.metadata.photo_metadata import Keyword
from indexer.metadata.sidecar import SUFFIX, packet_beside, sidecar_name
from indexer.metadata.values import line
from indexer.metadata.xmp import last_keywords

SIDECAR = "sidecar"  # the origin of what a sidecar says that does not tell who wrote it
PEOPLE, ALBUM = "people", "album"  # tags under these


class Said(NamedTuple):
    """What a sidecar says: tags, and the program that wrote it, where it tells that, else "sidecar"."""

    tags: tuple[TagPath, ...]
    origin: str


class Sidecars:
    """The sidecars of photos, as they are on the disk; each folder is listed once."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[str, str]] = {}

    def said(self, photo: Path) -> Said | None:
        """What the sidecar of a photo says; None where it has none of its own, or none that can be read for sure."""
        try:
            name = sidecar_name(photo.name, self._beside(photo.parent))
            packet = None if name is None else packet_beside(photo, name)
            return None if packet is None else _said(packet)
        except (OSError, ValueError, SidecarError):
            return None

    def _beside(self, folder: Path) -> Mapping[str, str]:
        if folder not in self._names:
            names = [name for name in os.listdir(folder) if name.lower().endswith(SUFFIX)]  # noqa: PTH208
            self._names[folder] = {name.lower(): name for name in names}
        return self._names[folder]


def _said(packet: bytes) -> Said:
    """The tags of a sidecar; what stands in none of the three lists but in Windows' one counts as levels parted by /.

    People and albums that have no tag of their own there become tags below `people` and `album`.

    Raises:
        SidecarError: it cannot be read, or not for sure.
    """
    root = open_document(packet).root
    found = resource(root)
    lists, listed = found.tag_lists(), {line(text) for name in MARKS for text in found.texts(name)}
    more = [path_of(word, SLASH) for word in map(line, last_keywords(packet)) if word and word not in listed]
    tags = replace(lists, slashes=[*lists.slashes, *more]).tags()
    named = {name.casefold() for path in tags if len(path) > 1 for name in path[-1:]}
    tags += [(PEOPLE, name) for name in people(root) if name.casefold() not in named]
    tags += [(ALBUM, name) for name in found.described().albums if name.casefold() not in _albums(tags)]
    return Said(tuple(tags), program(root) or SIDECAR)


def _albums(tags: Iterable[TagPath]) -> set[str]:
    """The names of albums as an export writes them."""
    return {" / ".join(path[1:]).casefold() for path in tags if path[0] == ALBUM}


def paths_of(words: Iterable[Keyword], sure: Iterable[TagPath] = (), origin: str = SIDECAR) -> dict[TagPath, str]:
    """The tags that keywords mean, with where each came from; what can be no tag is left out.

    Levels are parted by | (Lightroom) or by / (digiKam), and where a name holds such a mark itself, its lookalike says
    which of the two it is. What is sure says what its entries in the other lists mean: each of them, and each of its
    levels by itself, says nothing new.

    Args:
        words: as a catalog holds them, of whatever list.
        sure: paths that a sidecar's own lists say.
        origin: of those.
    """
    found: dict[TagPath, str] = {}
    explained: set[str] = set()

    def take(levels: Iterable[str], source: str) -> None:
        try:
            path = clean_path(levels)
        except ValueError:
            return
        explained.update((entry(path, BAR), entry(path, SLASH), *path))
        found.setdefault(path, source)

    for path in sure:
        take(path, origin)
    for word in sorted(words, key=lambda word: _doubt(word.text)):  # what is surest explains the others
        if word.text not in explained:
            bars = BAR_NAMED in word.text or (BAR in word.text and SLASH_NAMED not in word.text)
            take(path_of(word.text, BAR if bars else SLASH), word.source)
    return found


def as_read_back(path: TagPath) -> TagPath | None:
    """A tag's path once it was written to a sidecar and read; None where nothing is left of it.

    The lookalikes become the plain marks, and characters that no XML file holds are gone.
    """
    try:
        return clean_path(written(path))
    except ValueError:
        return None


def _doubt(text: str) -> int:
    """How little a text says of which list it is from."""
    if BAR_NAMED in text or SLASH_NAMED in text:
        return 0
    return 1 if BAR in text else 2 if SLASH in text else 3
