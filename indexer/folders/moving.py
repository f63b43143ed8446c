"""Which new files may be photos that are gone from where they were: told by names, sizes and hashes. Pure.

It opens no file and writes nothing: hashes are handed in, and reconcile.py settles what comes out.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
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


class NewFiles:
    """Files that may show a photo that is gone, by size, name and format; each until a photo has taken it."""

    def __init__(self, places: Iterable[Place]) -> None:
        """Take in these, in an order that is kept."""
        self._places = dict(enumerate(places))
        self._number = {(place.root_id, place.file.path): number for number, place in self._places.items()}
        self._by_size: defaultdict[int, dict[int, None]] = defaultdict(dict)
        self._by_name: defaultdict[str, dict[int, None]] = defaultdict(dict)
        self._by_format: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, (_, file) in self._places.items():
            self._by_size[file.size][number] = None
            self._by_name[folded(_name(file.path))][number] = None
            self._by_format[_suffix(file.path)].append((file.size, number))
        for sizes in self._by_format.values():
            sizes.sort()

    def take(self, place: Place) -> None:
        """Let no other photo have a file; one that is none of these is passed over."""
        number = self._number.pop((place.root_id, place.file.path), None)
        if number is None:
            return
        _, file = self._places.pop(number)
        del self._by_size[file.size][number], self._by_name[folded(_name(file.path))][number]
        sizes = self._by_format[_suffix(file.path)]
        del sizes[bisect_left(sizes, (file.size, number))]

    def of_equal_size(self, gone: Iterable[Gone]) -> list[Place]:
        """Those that have the size of a photo that is gone."""
        sizes = {one.photo.size for one in gone}
        return self._in_order(number for size in sizes for number in self._by_size.get(size, ()))

    def of_other_size(self, gone: Iterable[Gone]) -> list[Place]:
        """Those that may be a gone photo with other metadata: of its name, or of its format and nearly its size.

        At most TRIED for each photo, so that the work stays in proportion to what is gone.
        """
        chosen: set[int] = set()
        for one in gone:
            path, size = one.photo.path, one.photo.size
            namesakes = list(islice(self._by_name.get(folded(_name(path)), ()), TRIED))
            near = _nearest(self._by_format.get(_suffix(path), []), size)
            tried = list(dict.fromkeys([*namesakes, *near]))[:TRIED]
            chosen.update(n for n in tried if self._places[n].file.size != size)
        return self._in_order(chosen)

    def _in_order(self, numbers: Iterable[int]) -> list[Place]:
        return [self._places[number] for number in sorted(numbers)]


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


def may_circle(changed: Sequence[tuple[Gone, Place]]) -> list[Gone]:
    """Photos that may lie at one another's paths, as after two names were swapped: no file is missing then.

    Told by size and time, which renaming keeps, so that nothing is read where none can.

    Args:
        changed: photos that are not where they were, each with the file that lies there now.
    """
    lying = Counter((place.file.size, place.file.mtime_ns) for _, place in changed)
    found = []
    for one, place in changed:
        key = one.photo.size, one.photo.mtime_ns
        others = lying[key] - (key == (place.file.size, place.file.mtime_ns))
        if others and one.photo.content_hash and one.photo.state == "ok" and not one.photo.missing:
            found.append(one)
    return found


def in_circles(gone: Sequence[Gone], hashed: Iterable[tuple[Place, str | None]]) -> list[tuple[Gone, Place]]:
    """Pair such photos with the files that show them, so that none of them is lost by it.

    Of copies of one picture the file that has a photo's number and time is that photo, as renaming leaves both. Where
    none has, and there are several, none is told from the others.
    """
    photos: defaultdict[str, list[Gone]] = defaultdict(list)
    files: defaultdict[str, list[Place]] = defaultdict(list)
    for one in gone:
        photos[one.photo.content_hash or ""].append(one)
    for place, content in hashed:
        if content is not None and content in photos:
            files[content].append(place)
    pairs = []
    for content, places in files.items():
        by_number = {(one.photo.inode, one.photo.mtime_ns): one for one in photos[content]}
        for place in places:
            alone = photos[content][0] if len(photos[content]) == len(places) == 1 else None
            found = by_number.get((place.file.inode, place.file.mtime_ns), alone)
            if found is not None:
                pairs.append((found, place))
    return _closed(pairs)


def _closed(pairs: Sequence[tuple[Gone, Place]]) -> list[tuple[Gone, Place]]:
    """Those in which photos take each other's paths."""
    left, before = list(pairs), -1
    while len(left) != before:
        before = len(left)
        came = {(place.root_id, place.file.path) for _, place in left}
        went = {(one.root_id, one.photo.path) for one, _ in left}
        inside = came & went
        left = [(one, to) for one, to in left if {(one.root_id, one.photo.path), (to.root_id, to.file.path)} <= inside]
    return left


def is_renamed(one: Gone, place: Place) -> bool:
    """Whether a moved file has another name now; a photo's date may stand in it."""
    return _name(one.photo.path) != _name(place.file.path)


def _nearest(sizes: Sequence[tuple[int, int]], size: int) -> list[int]:
    """The numbers of those that are nearest to a size, of a sorted list of sizes and numbers."""
    if len(sizes) > 10_000:  # a first run beside a loss: hashing some for each would be more work than decoding
        return []
    above = bisect_left(sizes, (size, -1))
    near = [*sizes[max(0, above - TRIED) : above], *sizes[above : above + TRIED]]
    near = [one for one in near if abs(one[0] - size) <= _NEAR]
    return [number for _, number in sorted(near, key=lambda one: (abs(one[0] - size), one[1]))[:TRIED]]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _suffix(path: str) -> str:
    return _name(path).rpartition(".")[2].lower()
