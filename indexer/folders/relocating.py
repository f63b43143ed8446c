"""Photos that lie somewhere else now: new files, and files that replaced others, which show a photo that is gone.

Moves are written to the catalog here, and the changes brought up to date; moving.py decides which file is which photo.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from indexer.catalog.records import FoundFile, KnownPhoto, Move
from indexer.folders.comparison import ChangedFile
from indexer.folders.displacing import believed, held_back_before
from indexer.folders.hashing import Hashes
from indexer.folders.looking import Looked
from indexer.folders.moving import Gone, NewFiles, Place, folded, in_circles, is_renamed, may_circle, pair, respelled
from indexer.folders.removing import Removals
from indexer.library import Library
from indexer.pictures.content.picture_hash import is_whole

_Pairs = list[tuple[Gone, Place]]
_Where = tuple[int, str]  # a root, and a path in it


class Moves(NamedTuple):
    """What came of moves.

    Attributes:
        moved: the ids of the photos that moved.
        unused: the content hashes that no photo has any more.
        displaced: how many sound photos are gone because others were moved onto them.
        held_back: the absolute paths from and to which moves were not believed.
    """

    moved: set[int]
    unused: list[str]
    displaced: int
    held_back: list[str]


def settle_moves(
    library: Library,
    looked: Sequence[Looked],
    hashes: Hashes,
    *,
    allowed: bool,
    removals: Removals,
    messages: list[str],
) -> Moves:
    """Give photos that are gone the files that show them now.

    Args:
        library: whose writer lock the caller holds.
        looked: the folders that a run has looked at.
        hashes: the hashes of what files show.
        allowed: move photos onto any number of others, also onto ones that are away.
        removals: those before; grows.
        messages: grows by a sentence for each root of which moves are not believed.
    """
    gone = [Gone(one.root.id, photo) for one in looked for photo in (*one.changes.missing, *one.changes.vanished)]
    onto_missing = any(change.known.missing for one in looked for change in one.changes.changed)
    changed = [(one.root.id, change) for one in looked for change in one.changes.changed]
    circling = may_circle([(Gone(root, change.known), Place(root, change.file)) for root, change in changed])
    if not gone and not onto_missing and not circling:
        return Moves(set(), [], 0, [])
    candidates, refused = _Candidates(looked, hashes), _Pairs()
    pairs = in_circles(circling, candidates.showing(circling))
    candidates.take(pairs)
    if onto_missing:
        gone += held_back_before(library, looked, candidates.shown_in_place_of_missing())
    roots, held = {one.root.id: one.root.path for one in looked}, _held(looked)
    while gone:  # each round costs what is gone in it: there are as many as a chain of moves has links
        found = _found(gone, candidates, roots, hashes)
        pairs += found
        gone = _displaced(held, found)
    if not allowed:
        pairs, refused = believed(library, looked, pairs, held, removals, messages)
    moved, unused, displaced = _move(library, looked, pairs, held, removals) if pairs else (set(), [], 0)
    places = [where for one, to in refused for where in ((one.root_id, one.photo.path), _where(to))]
    return Moves(moved, unused, displaced, [str(roots[root_id] / path) for root_id, path in places])


class _Candidates:
    """Files that may show a photo that is gone: new ones, those that failed, those that show another picture now."""

    def __init__(self, looked: Sequence[Looked], hashes: Hashes) -> None:
        """Take in those that a look found; what was replaced is hashed."""
        added = [Place(one.root.id, file) for one in looked for file in one.changes.added]
        changed = [(one.root.id, change) for one in looked for change in one.changes.changed]
        failed = [Place(root, change.file) for root, change in changed if not change.known.content_hash]
        self.new = NewFiles(added + failed)
        self._by_name = {_name_of(place): place for place in added}
        self._showing: defaultdict[str, dict[_Where, Place]] = defaultdict(dict)
        self._shows: dict[_Where, str] = {}
        self._missing = {(root, change.file.path) for root, change in changed if change.known.missing}
        for place, content in _replaced(looked, hashes):
            if content is not None:
                self._showing[content][_where(place)] = place
                self._shows[_where(place)] = content

    def take(self, pairs: _Pairs) -> None:
        """Let no other photo have these files."""
        for _, place in pairs:
            self.new.take(place)
            self._by_name.pop(_name_of(place), None)
            if (content := self._shows.pop(_where(place), None)) is not None:
                del self._showing[content][_where(place)]

    def shown_in_place_of_missing(self) -> dict[int, set[str]]:
        """What files show that lie where photos were that are missing, by root."""
        found: defaultdict[int, set[str]] = defaultdict(set)
        for where, content in self._shows.items():
            if where in self._missing:
                found[where[0]].add(content)
        return found

    def namesakes(self, gone: Iterable[Gone]) -> list[Place]:
        """New files of the names of photos that are gone, but for case and accents."""
        names = ((one.root_id, folded(one.photo.path)) for one in gone)
        return [self._by_name[name] for name in names if name in self._by_name]

    def showing(self, gone: Iterable[Gone]) -> list[tuple[Place, str | None]]:
        """Files that were replaced, and show photos that are gone, with their contents."""
        contents = dict.fromkeys(one.photo.content_hash for one in gone)
        return [(place, content) for content in contents for place in self._showing.get(content or "", {}).values()]


def _found(gone: list[Gone], candidates: _Candidates, roots: Mapping[int, Path], hashes: Hashes) -> _Pairs:
    """The files that show photos that are gone; they are no candidates any more."""
    named = candidates.namesakes(gone)
    pairs = respelled(gone, named, lambda root, old, new: _is_same_file(roots[root] / old, roots[root] / new))
    pairs += pair(_left(gone, pairs), candidates.showing(_left(gone, pairs)))
    candidates.take(pairs)
    for choose in (candidates.new.of_equal_size, candidates.new.of_other_size):
        left = _left(gone, pairs)  # the likely ones first: hashing reads the whole file
        files = choose(left)
        like = _old_hashes(left)
        paths = [roots[place.root_id] / place.file.path for place in files]
        contents = hashes(paths, [like.get(place.file.size, ()) for place in files])
        more = pair(left, zip(files, contents, strict=True))
        candidates.take(more)
        pairs += more
    return pairs


def _held(looked: Iterable[Looked]) -> dict[_Where, KnownPhoto]:
    """The photos whose files are other ones now, by where they lie."""
    return {(one.root.id, change.file.path): change.known for one in looked for change in one.changes.changed}


def _displaced(held: Mapping[_Where, KnownPhoto], pairs: _Pairs) -> list[Gone]:
    """The photos whose files others were moved onto: they may have been moved before that."""
    return [Gone(place.root_id, held[_where(place)]) for _, place in pairs if _where(place) in held]


def _where(place: Place) -> _Where:
    return place.root_id, place.file.path


def _name_of(place: Place) -> _Where:
    return place.root_id, folded(place.file.path)


def _left(gone: Iterable[Gone], pairs: _Pairs) -> list[Gone]:
    """The photos whose file is still to be found."""
    moved = {one.photo.id for one, _ in pairs}
    return [one for one in gone if one.photo.id not in moved and one.photo.state == "ok" and one.photo.content_hash]


def _replaced(looked: Iterable[Looked], hashes: Hashes) -> list[tuple[Place, str | None]]:
    """Files that show another picture than before, with its hash: a photo may have been moved onto them."""
    found: list[tuple[Place, str | None]] = []
    for one in looked:
        changed = [change for change in one.changes.changed if change.known.content_hash]
        known = [change.known.content_hash or "" for change in changed]
        contents = hashes([one.root.path / change.file.path for change in changed], [[content] for content in known])
        found += [
            (Place(one.root.id, change.file), content)
            for change, before, content in zip(changed, known, contents, strict=True)
            if content != before
        ]
    return found


def _old_hashes(gone: Iterable[Gone]) -> dict[int, set[str]]:
    """Hashes of whole files, as all were once, by the size of the file: only a file of that size can have one."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for one in gone:
        if one.photo.content_hash and is_whole(one.photo.content_hash):
            found[one.photo.size].add(one.photo.content_hash)
    return found


def _is_same_file(old: Path, new: Path) -> bool:
    try:
        return old.samefile(new)
    except OSError:
        return False


def _move(
    library: Library, looked: Sequence[Looked], pairs: _Pairs, held: Mapping[_Where, KnownPhoto], removals: Removals
) -> tuple[set[int], list[str], int]:
    """Write the moves; a file with another stamp keeps the old one until its metadata has been read again."""
    kept = [_with_stamp(one, to) for one, to in pairs]
    moves = [
        Move(one.id, to.root_id, to.file.path, one.size, one.mtime_ns, renamed, one.ctime_ns, one.inode)
        for one, (gone, to) in zip(kept, pairs, strict=True)
        for renamed in [is_renamed(gone, to)]
    ]
    unused = library.catalog.move(moves)
    moved, places = {move.photo_id for move in moves}, {(move.root_id, move.path) for move in moves}
    replaced = [one for one in _displaced(held, pairs) if one.photo.id not in moved and one.photo.state == "ok"]
    for root_id, photos in Counter(one.root_id for one in replaced).items():
        removals.note(root_id, photos)
    for looked_at in looked:
        changes, root = looked_at.changes, looked_at.root.id
        changes.added = [file for file in changes.added if (root, file.path) not in places]
        changes.changed = [change for change in changes.changed if (root, change.file.path) not in places]
        changes.missing = [photo for photo in changes.missing if photo.id not in moved]
        changes.vanished = [photo for photo in changes.vanished if photo.id not in moved]
        changes.found_again = [photo for photo in changes.found_again if photo.id not in moved]
    by_root = {one.root.id: one.changes for one in looked}
    for photo, (one, to) in zip(kept, pairs, strict=True):
        changes = by_root[to.root_id]
        is_same = one.root_id == to.root_id and not one.photo.missing and one.photo.inode == to.file.inode
        changes.arrived[photo.id] = one.photo.path if is_same else None
        change = ChangedFile(to.file, photo._replace(path=to.file.path, missing=False))
        if _stamp(photo) != _stamp(to.file):
            changes.changed.append(change)
        elif change.known.state == "ok" and not change.known.embedded:
            changes.to_embed.append(change)
        elif change.known.state == "ok" and (change.known.sidecar != to.file.sidecar or is_renamed(one, to)):
            changes.to_describe.append(change)
    return moved, unused, len(replaced)


def _with_stamp(one: Gone, to: Place) -> KnownPhoto:
    """The photo with what moving it made of its stamp, where its new file was hashed and is else as the old one was."""
    photo, file = one.photo, to.file
    is_respelled = one.root_id == to.root_id and folded(photo.path) == folded(file.path)
    if (photo.size, photo.mtime_ns) != (file.size, file.mtime_ns) or is_respelled:
        return photo
    return photo._replace(ctime_ns=file.ctime_ns, inode=file.inode)


def _stamp(file: KnownPhoto | FoundFile) -> tuple[int, int, int | None, int | None]:
    return file.size, file.mtime_ns, file.ctime_ns, file.inode
