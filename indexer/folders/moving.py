"""Which new files may be photos that are gone from where they were: told by names, sizes and hashes. Pure.

It opens no file and writes nothing: hashes are handed in, and reconcile.py settles what comes out.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from indexer.catalog.records import FoundFile, KnownPhoto

TRIED = 8
"""New files of another size that are hashed for each photo that is gone: a program that moved it may have tagged it."""
_NEAR = 1 << 20  # bytes by which metadata makes a file grow or shrink, at most


class Place(NamedTuple):
    """A file in a root."""

    root_id: int
    file: FoundFile


class Gone(NamedTuple):
    """A photo whose file is not where it was."""

    root_id: int
    photo: KnownPhoto


def folded(path: str) -> str:
    """A path as file systems see it that tell neither case nor ways of writing accents apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def respelled(
    gone: Iterable[Gone], added: Iterable[Place], is_same: Callable[[int, str, str], bool]
) -> list[tuple[Gone, Place]]:
    """Pair photos with new files of the same name but for case and accents, where the old name still leads to the file.

    Args:
        gone: photos that a scan did not list.
        added: files that it did.
        is_same: root, old path, new path -> whether both name one file, as on a file system that ignores case.
    """
    by_name = {(place.root_id, folded(place.file.path)): place for place in added}
    pairs = []
    for one in gone:
        place = by_name.get((one.root_id, folded(one.photo.path)))
        if place is not None and is_same(one.root_id, one.photo.path, place.file.path):
            del by_name[one.root_id, folded(one.photo.path)]
            pairs.append((one, place))
    return pairs


def of_equal_size(gone: Iterable[Gone], added: Iterable[Place]) -> list[Place]:
    """The new files that have the size of a photo that is gone."""
    sizes = {one.photo.size for one in gone}
    return [place for place in added if place.file.size in sizes]


def of_other_size(gone: Iterable[Gone], added: Iterable[Place]) -> list[Place]:
    """New files that may be a gone photo with other metadata: of its name, or of its format and nearly its size.

    At most TRIED for each photo, so that the work stays in proportion to what is gone.
    """
    by_name: defaultdict[str, list[Place]] = defaultdict(list)
    by_format: defaultdict[str, list[Place]] = defaultdict(list)
    for place in added:
        by_name[folded(_name(place.file.path))].append(place)
        by_format[_suffix(place.file.path)].append(place)
    chosen: dict[tuple[int, str], Place] = {}
    for one in gone:
        path, size = one.photo.path, one.photo.size
        namesakes = by_name[folded(_name(path))][:TRIED]
        near = _nearest(by_format[_suffix(path)], size)
        for place in [*namesakes, *near][:TRIED]:
            if place.file.size != size:
                chosen[place.root_id, place.file.path] = place
    return list(chosen.values())


def pair(gone: Sequence[Gone], hashed: Iterable[tuple[Place, str | None]]) -> list[tuple[Gone, Place]]:
    """Pair photos with new files of their content, each once; of several photos, one of the file's name goes first."""
    by_content: defaultdict[str, list[Gone]] = defaultdict(list)
    for one in gone:
        if one.photo.content_hash:
            by_content[one.photo.content_hash].append(one)
    pairs = []
    for place, content in hashed:
        photos = by_content.get(content or "", [])
        if photos:
            name = _name(place.file.path)
            best = next((one for one in photos if _name(one.photo.path) == name), photos[0])
            photos.remove(best)
            pairs.append((best, place))
    return pairs


def is_renamed(one: Gone, place: Place) -> bool:
    """Whether a moved file has another name now; a photo's date may stand in it."""
    return _name(one.photo.path) != _name(place.file.path)


def _nearest(places: list[Place], size: int) -> list[Place]:
    if len(places) > 10_000:  # a first run beside a loss: looking at each for each would be more work than decoding
        return []
    near = [place for place in places if abs(place.file.size - size) <= _NEAR]
    return sorted(near, key=lambda place: abs(place.file.size - size))[:TRIED]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _suffix(path: str) -> str:
    return _name(path).rpartition(".")[2].lower()
