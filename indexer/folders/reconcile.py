"""What happened to the folders since the last run, settled in the catalog before any photo is decoded.

Moves, new stamps, absences and removals are written here; what has to be decoded comes out as jobs. It removes nothing
from a folder that cannot be seen, and no large share of a root at once. It opens no photo except to hash it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from indexer.catalog.records import FoundFile, KnownPhoto, Move
from indexer.catalog.stamps import NEVER
from indexer.counted import counted
from indexer.folders.agreement import Agreement, Heads
from indexer.folders.hashing import Hashes
from indexer.folders.ignoring import NOTHING_MORE, Ignoring
from indexer.folders.looking import Look, Looked
from indexer.folders.pairing import Paired, absorb, take_over
from indexer.folders.relocating import settle_moves
from indexer.folders.removing import Removals, settle_absences
from indexer.folders.scanner import StoppedError
from indexer.library import Library
from indexer.pictures.videos import is_video_name
from indexer.workers.decoding import Job
from indexer.workers.isolation import WorkerPool


@dataclass
class Settled:
    """What was settled, and what is left to decode."""

    jobs: list[Job] = field(default_factory=list)
    moved_ids: set[int] = field(default_factory=set)
    removed: int = 0
    unchanged: int = 0
    messages: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)  # content hashes that no photo has any more

    held_back: list[str] = field(default_factory=list)  # absolute paths from and to which moves were not believed
    companions: list[tuple[int, tuple[str, bool], Paired]] = field(default_factory=list)  # by root and folder, if deep

    @property
    def moved(self) -> int:
        """How many photos have another path now."""
        return len(self.moved_ids)


def reconcile(
    library: Library,
    folders: Sequence[Path],
    model_id: int,
    *,
    workers: int,
    pool: WorkerPool,
    allow_mass_removal: bool,
    ignoring: Ignoring = NOTHING_MORE,
    leave: Callable[[str], bool] | None = None,
    stop: Callable[[], bool] = lambda: False,
    videos: bool = False,
    removals: Removals | None = None,
    written: Collection[str] = (),
    shallow: Sequence[Path] = (),
) -> Settled:
    """Look at the folders and settle all that needs no decoding.

    Args:
        library: whose writer lock the caller holds.
        folders: roots, old or new, or folders below them.
        model_id: photos that lack this model's embedding become jobs.
        workers: threads that hash.
        pool: reads what the files of a pair say of their shots.
        allow_mass_removal: remove even more than half of the photos of these folders' roots, or all of an empty one.
        ignoring: what is passed over.
        leave: absolute path -> whether a new or changed file stays as the catalog knows it for now.
        stop: asked for each folder and each file; True leaves what is not settled by then to the next run.
        videos: take new videos in; those that are known are followed in any case.
        removals: what earlier runs removed, where they count together with this one.
        written: absolute paths of files that were written to, whatever their stamps say.
        shallow: folders that are looked at too, but not those below them.

    Raises:
        RootError: a folder is not there and is not a known root, or is a file.
    """
    settled = Settled()
    with suppress(StoppedError), ThreadPoolExecutor(workers, thread_name_prefix="hash") as threads:
        agreement = Agreement(library.catalog, Heads(threads, pool, stop), leave or (lambda path: False), videos)
        look = Look(library, model_id, ignoring, allow_mass_removal, settled.messages, agreement, stop, written=written)
        looked = look.at(folders, shallow)
        if leave is not None:
            _leave_alone(looked, leave)
        hashes = Hashes(threads, stop)
        removals = Removals() if removals is None else removals
        moves = settle_moves(
            library, looked, hashes, allowed=allow_mass_removal, removals=removals, messages=settled.messages
        )
        settled.moved_ids, settled.removed, settled.held_back = moves.moved, moves.displaced, moves.held_back
        settled.unused += moves.unused
        library.catalog.void_stamps([number for one in looked for number in one.changes.replaced()])
        if not videos:
            _leave_videos_out(looked, settled.messages)
        for one in looked:
            _settle_pairs(library, one, settled, agreement)
            _settle_stamps(library, one, settled, hashes)
        unused, removed = settle_absences(
            library,
            looked,
            allowed=allow_mass_removal,
            renamed=look.renamed,
            removals=removals,
            messages=settled.messages,
        )
        settled.unused += unused
        settled.removed += removed
        for one in looked:  # after the absences: what has come back says nothing of what was there before
            if one.changes.found_again:
                library.catalog.mark_found([photo.id for photo in one.changes.found_again])
    return settled


def _leave_alone(looked: Iterable[Looked], leave: Callable[[str], bool]) -> None:
    """Pass over new and changed files that are still being written: what was missing has not come back yet."""
    for one in looked:
        root, changes = one.root.path, one.changes
        changes.added = [file for file in changes.added if not leave(str(root / file.path))]
        changes.left = [change for change in changes.changed if leave(str(root / change.file.path))]
        left = {change.known.id for change in changes.left}
        changes.changed = [change for change in changes.changed if change.known.id not in left]
        changes.found_again = [photo for photo in changes.found_again if photo.id not in left]


def _leave_videos_out(looked: Iterable[Looked], messages: list[str]) -> None:
    """Pass over new videos, and say so where a whole root was looked at."""
    for one in looked:
        photos = [file for file in one.changes.added if not is_video_name(file.path)]
        left_out = len(one.changes.added) - len(photos)
        one.changes.added = photos
        if left_out and one.deep and not one.below:
            messages.append(f"Videos left out of {one.root.path}: {left_out:,}. --videos takes them in.")


def _settle_pairs(library: Library, one: Looked, settled: Settled, agreement: Agreement) -> None:
    """Photos of which the other file of a pair is the one to decode now, and RAWs that are no photos any more."""

    def is_one(photo: KnownPhoto, file: FoundFile) -> bool:
        beside = {second.path for second in one.paired.companions.get(file.path, ())}
        return photo.path in beside or agreement.takes(one.root, photo, file)

    taken = take_over(one.changes, is_one)
    if moves := [Move(photo.id, one.root.id, file.path, file.size, NEVER) for photo, file in taken]:
        settled.unused += library.catalog.move(moves)
    if absorbed := absorb(one.changes, one.paired.companions):
        settled.unused += library.catalog.remove([photo.id for photo in absorbed])
        settled.messages.append(
            f"Files that belong to the pictures beside them now (RAWs, live photos' videos): {len(absorbed):,}."
        )
    settled.companions.append((one.root.id, (one.below, one.deep), one.paired))


def _settle_stamps(library: Library, one: Looked, settled: Settled, hashes: Hashes) -> None:
    """What is new or has a new stamp; where the picture is the same, only the metadata is read again."""
    root, changes = one.root, one.changes
    if changes.restamped:
        library.catalog.restamp(changes.restamped)
    sound = [c for c in changes.changed if c.known.state == "ok" and c.known.content_hash]
    like = [[c.known.content_hash or ""] for c in sound]
    contents = hashes([root.path / change.file.path for change in sound], like)
    same = {c.known.id for c, content in zip(sound, contents, strict=True) if content == c.known.content_hash}
    same |= {change.known.id for change in [*changes.to_describe, *changes.to_embed]}
    settled.unchanged += changes.unchanged
    settled.jobs += [Job(root.id, root.path, file, known=False) for file in changes.added]
    settled.unused += [c.known.content_hash for c in changes.changed if c.known.id not in same and c.known.content_hash]
    for file, photo in [*changes.changed, *changes.to_describe, *changes.to_embed]:
        is_same = photo.id in same
        settled.jobs.append(
            Job(
                root.id,
                root.path,
                file,
                known=True,
                same=is_same,
                describe=photo.id if is_same and photo.embedded else 0,
                content=photo.content_hash if is_same else None,
                replaces="" if is_same else photo.content_hash or "",
                moved=photo.id in settled.moved_ids,
            )
        )
    if changes.unchanged_failed:
        settled.messages.append(
            f"{counted(changes.unchanged_failed, 'file')} in {root.path} failed before, unchanged since; "
            "'picsift status' says why."
        )
