"""What happened to the folders since the last run, settled in the catalog before any photo is decoded.

Moves, new stamps, absences and removals are written here; what has to be decoded comes out as jobs. It removes nothing
from a folder that cannot be seen, and no large share of a root at once. It opens no photo except to hash it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from indexer import images
from indexer.comparison import Changes, compare
from indexer.decoding import Job
from indexer.errors import ImageError, RootError
from indexer.library import Library
from indexer.records import KnownPhoto, Move, Root, Touch
from indexer.scanner import FoundFile, Scan, scan

LARGEST_SHARE = 0.5  # of a root's photos that a run removes without being told to


@dataclass(frozen=True)
class Looked:
    """One folder, looked at: its root and how it differs from the catalog."""

    root: Root
    changes: Changes


@dataclass
class Settled:
    """What was settled, and what is left to decode."""

    jobs: list[Job] = field(default_factory=list)
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    messages: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)  # content hashes that no photo has any more


def reconcile(
    library: Library,
    folders: Sequence[Path],
    model_id: int,
    *,
    workers: int,
    allow_mass_removal: bool,
    leave: Callable[[str], bool] | None = None,
) -> Settled:
    """Look at the folders and settle all that needs no decoding.

    Args:
        library: whose writer lock the caller holds.
        folders: roots, old or new, or folders below them.
        model_id: photos that lack this model's embedding become jobs.
        workers: threads that hash.
        allow_mass_removal: remove even more than half of a root's photos, or all of an empty one.
        leave: absolute path -> whether a new or changed file stays as the catalog knows it for now.

    Raises:
        RootError: a folder is not there and is not a known root, or is a file.
    """
    settled = Settled()
    looked = [_look(library, *place, model_id, settled, allow_mass_removal) for place in _places(library, folders)]
    if leave is not None:
        _leave_alone(looked, leave)
    with ThreadPoolExecutor(workers, thread_name_prefix="hash") as pool:
        hashes = _Hashes(pool)
        _settle_moves(library, looked, settled, hashes)
        for one in looked:
            _settle_stamps(library, one, settled, hashes)
    for one in looked:
        _settle_absences(library, one, model_id, settled, allow_mass_removal)
    return settled


def _places(library: Library, folders: Sequence[Path]) -> list[tuple[Root, str]]:
    """The roots and subfolders to look at, none of them inside another."""
    known = {root.path for root in library.catalog.roots()}
    for folder in folders:
        if folder.is_dir() or folder.resolve() in known:
            continue
        if folder.exists():
            raise RootError(f"{folder} is a file. Name the folder that holds it.")
        raise RootError(f"{folder} does not exist. Check its name, or connect its drive.")
    for folder in folders:  # all of them first: a root named last may take over one named before
        library.catalog.add_root(folder)
    places = dict.fromkeys((root.id, below) for root, below in map(library.catalog.add_root, folders))
    roots = {root.id: root for root in library.catalog.roots()}
    return [(roots[i], below) for i, below in places if not any(_covers(i, below, *other) for other in places)]


def _covers(root: int, below: str, other_root: int, other: str) -> bool:
    """Whether another place holds this one."""
    return root == other_root and below != other and (not other or below.startswith(f"{other}/"))


def _look(
    library: Library, root: Root, below: str, model_id: int, settled: Settled, allow_mass_removal: bool
) -> Looked:
    found = scan(root.path, below, exclude=library.folder)
    known = library.catalog.known(root.id, below, model_id=model_id)
    problem = found.problem
    if problem and _has_nothing(root.path / below) and (allow_mass_removal or not known):
        found = Scan({})
        problem = None
        if not known:
            settled.messages.append(f"{root.path / below} holds no files.")
    library.catalog.note_scan(root.id, problem)
    if problem:
        absent = [photo.id for photo in known.values()]
        library.catalog.mark_missing(absent, datetime.now(UTC))
        settled.messages.append(f"{problem}. Its {len(absent):,} photos are kept.")
    for folder in found.unreadable:
        settled.messages.append(f"{root.path / folder} could not be read in full; what is known of it is kept.")
    return Looked(root, compare(known, found))


def _leave_alone(looked: Iterable[Looked], leave: Callable[[str], bool]) -> None:
    """Pass over new and changed files that are still being written."""
    for one in looked:
        root, changes = one.root.path, one.changes
        changes.added = [file for file in changes.added if not leave(str(root / file.path))]
        changes.changed = [change for change in changes.changed if not leave(str(root / change.file.path))]


def _has_nothing(folder: Path) -> bool:
    """Whether a folder is empty or absent, rather than one that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


class _Hashes:
    """Content hashes of files, several at a time; None for a file that cannot be read now."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def __call__(self, paths: Iterable[Path]) -> list[str | None]:
        return list(self._pool.map(_hash, paths))


def _hash(path: Path) -> str | None:
    try:
        return images.hash_file(path)
    except ImageError:
        return None  # the decoder will meet it again and say why


def _settle_moves(library: Library, looked: Sequence[Looked], settled: Settled, hashes: _Hashes) -> None:
    """Files that are new here and have the bytes of a photo that is gone there: the photo has moved."""
    gone: dict[str, list[KnownPhoto]] = defaultdict(list)
    for one in looked:
        for lost in one.changes.missing:
            if lost.state == "ok" and lost.content_hash:
                gone[lost.content_hash].append(lost)
    sizes = {lost.size for photos in gone.values() for lost in photos}
    candidates = [(one, file) for one in looked for file in one.changes.added if file.size in sizes]
    contents = hashes(one.root.path / file.path for one, file in candidates)
    moves: list[Move] = []
    for (one, file), content in zip(candidates, contents, strict=True):
        if photo := _take(gone.get(content or "", []), file):
            moves.append(Move(photo.id, one.root.id, file.path, file.size, file.mtime_ns))
            if not photo.embedded:
                settled.jobs.append(Job(one.root.id, one.root.path, file, known=True, same=True))
    settled.unused += library.catalog.move(moves)
    settled.moved += len(moves)
    moved, places = {move.photo_id for move in moves}, {(move.root_id, move.path) for move in moves}
    for one in looked:
        one.changes.added = [file for file in one.changes.added if (one.root.id, file.path) not in places]
        one.changes.missing = [photo for photo in one.changes.missing if photo.id not in moved]


def _take(photos: list[KnownPhoto], file: FoundFile) -> KnownPhoto | None:
    """The photo among those with a file's bytes that the file most likely was: one of the same name, if any."""
    if not photos:
        return None
    name = file.path.rpartition("/")[2]
    best = next((photo for photo in photos if photo.path.rpartition("/")[2] == name), photos[0])
    photos.remove(best)
    return best


def _settle_stamps(library: Library, one: Looked, settled: Settled, hashes: _Hashes) -> None:
    """What is new or has a new stamp; where the bytes are the same, the stamp is all that changes."""
    root, changes = one.root, one.changes
    library.catalog.mark_found([photo.id for photo in changes.found_again])
    same_size = [c for c in changes.changed if c.known.state == "ok" and c.known.size == c.file.size]
    contents = hashes(root.path / change.file.path for change in same_size)
    touched = [
        change
        for change, content in zip(same_size, contents, strict=True)
        if content is not None and content == change.known.content_hash
    ]
    library.catalog.touch([Touch(change.known.id, change.file.size, change.file.mtime_ns) for change in touched])
    same = {change.known.id for change in touched}
    settled.unchanged += changes.unchanged + sum(change.known.embedded for change in touched)
    settled.jobs += [Job(root.id, root.path, file, known=False) for file in changes.added]
    settled.unused += [c.known.content_hash for c in changes.changed if c.known.id not in same and c.known.content_hash]
    again = [c for c in changes.changed if c.known.id not in same or not c.known.embedded]
    settled.jobs += [Job(root.id, root.path, c.file, known=True, same=c.known.id in same) for c in again]
    lacking = [FoundFile(photo.path, photo.size, photo.mtime_ns) for photo in changes.to_embed]
    settled.jobs += [Job(root.id, root.path, file, known=True, same=True) for file in lacking]
    if changes.unchanged_failed:
        settled.messages.append(
            f"{changes.unchanged_failed:,} files in {root.path} failed before and have not changed since; "
            "'picsift status' says why."
        )


def _settle_absences(library: Library, one: Looked, model_id: int, settled: Settled, allow_mass_removal: bool) -> None:
    gone = [photo.id for photo in one.changes.missing]
    if not gone:
        return
    total = len(library.catalog.known(one.root.id, model_id=model_id))
    if len(gone) > LARGEST_SHARE * total and not allow_mass_removal:
        library.catalog.mark_missing(gone, datetime.now(UTC))
        settled.messages.append(
            f"{len(gone):,} of the {total:,} photos of {one.root.path} are not there. Nothing was removed. If they are "
            "gone for good, run again with --allow-mass-removal."
        )
        return
    settled.unused += library.catalog.remove(gone)
    settled.removed += len(gone)
