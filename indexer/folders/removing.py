"""Which photos that are not there leave the library: no large share of a root goes at once, unless a person says so.

The share is that of a whole run, and of what one process has removed lately: a loss comes in as many batches as it
takes the disk to lose its folders.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from indexer.catalog.records import KnownPhoto
from indexer.counted import counted
from indexer.folders.looking import Looked, advice
from indexer.folders.mounts import place_of, places_inside
from indexer.folders.renaming import drive_places, exchanged_in, remember, strange
from indexer.library import Library

LARGEST_SHARE = 0.5  # of a root's photos that are removed without being told to
KEPT = timedelta(microseconds=1)  # that photos are kept later than others are found out of reach by the same run
RECENT_S = 3600.0  # what was removed in this time counts


class Removals:
    """How many photos of roots, and of drives in them, went lately, over all runs that are given the same one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing yet; `clock` gives seconds."""
        self._clock = clock
        self._went: dict[tuple[int, str | None], list[tuple[float, int]]] = {}

    def note(self, root_id: int, photos: int, drive: str | None = None) -> None:
        """Take in that photos were removed from a root, or are not in the place of a drive in it any more."""
        self._went.setdefault((root_id, drive), []).append((self._clock(), photos))

    def lately(self, root_id: int, drive: str | None = None) -> int:
        """How many that were in the last RECENT_S."""
        since, key = self._clock() - RECENT_S, (root_id, drive)
        recent = self._went[key] = [one for one in self._went.get(key, []) if one[0] > since]
        return sum(photos for _, photos in recent)

    def forget(self, root_id: int, drive: str) -> None:
        """Let go of what was not in a drive's place: it has come back."""
        self._went.pop((root_id, drive), None)


def settle_absences(
    library: Library,
    looked: Iterable[Looked],
    *,
    allowed: bool,
    renamed: Collection[int],
    removals: Removals,
    messages: list[str],
) -> tuple[list[str], int]:
    """Remove the photos that are gone, root by root, or mark them where they are too many to believe it.

    Args:
        library: whose writer lock the caller holds.
        looked: the folders that a run has looked at, moves settled.
        allowed: remove any number.
        renamed: roots whose folder is another one since this run; they lose nothing in it.
        removals: those before; grows.
        messages: grows by a sentence for each root that keeps photos.

    Returns:
        The content hashes that no photo has any more, and how many photos were removed.
    """
    now = datetime.now(UTC)
    of_roots: defaultdict[int, list[Looked]] = defaultdict(list)
    for one in looked:
        if out_of_reach := [photo.id for photo in one.changes.unreachable]:
            library.catalog.mark_missing(out_of_reach, now)
        _mark_passing(library, one.root.id, one.changes.vanished)
        of_roots[one.root.id].append(one)
    unused, removed = list[str](), 0
    for root_id, of_root in of_roots.items():
        root = of_root[0].root.path
        gone = [photo for one in of_root for photo in one.changes.missing]
        if not allowed:
            gone = _without_drives(library, of_root, gone, removals, now, messages)
        if not gone:
            continue
        lately = removals.lately(root_id)
        again = [photo.id for photo in gone if photo.missing]
        others = len(again) + sum(len(one.changes.back_as_they_were()) for one in of_root)  # that are not there by now
        enough = math.ceil((len(gone) + lately) / LARGEST_SHARE) - lately - others
        arrived = _arrived(of_root, {""}, "")
        too_many = not allowed and not library.catalog.absences.has_present(root_id, enough, passed=arrived)
        if too_many or root_id in renamed:
            before = library.catalog.absences.count_present(root_id) + others + lately
            absent = [photo for photo in gone if not os.path.lexists(root / photo.path)]
            if too_many:
                changes = [one.changes for one in of_root]
                if any(one.added for one in changes) and not any(one.unchanged for one in changes):
                    remember(library, of_root[0].root, takes_turns=True)  # others alone: so it is with another drive
                library.catalog.mark_found(again)  # they are away since this moment, for a reason that does not pass
                library.catalog.mark_missing([photo.id for photo in absent], now + KEPT)
            else:
                _mark_passing(library, root_id, absent)
            passed_over = len(gone) - len(absent)
            messages.append(_kept(root, len(gone), before, lately, passed_over, too_many=too_many))
            continue
        unused += library.catalog.remove([photo.id for photo in gone])
        removals.note(root_id, len(gone))
        removed += len(gone)
    for of_root in of_roots.values():
        if any(_is_whole(one) for one in of_root):
            remember(library, of_root[0].root, takes_turns=False if allowed else None)
    return unused, removed


def _without_drives(
    library: Library,
    looked: Sequence[Looked],
    gone: list[KnownPhoto],
    removals: Removals,
    moment: datetime,
    messages: list[str],
) -> list[KnownPhoto]:
    """Leave out photos of drives in whose place others may be: mark them, as of this moment, and say so.

    A place where a drive is mounted shows what lies on it, and nothing of which drive that is. So of the photos that
    were there at the last look some go only where as many are still there, unchanged, over all looks of late, and where
    the rest of the place is as it was; what has just come back vouches for none of them. Of photos of a folder that
    went away at one time, which lie on one drive, some go only where as many have come back: then it is their drive.
    """
    root, catalog = looked[0].root, library.catalog
    changes, seen = [one.changes for one in looked], [(one.below, one.deep) for one in looked]
    places = drive_places(library, root, changes)
    passing = catalog.absences.passing(root.id) if gone else set()  # nearly all looks miss nothing
    groups: defaultdict[str | None, list[KnownPhoto]] = defaultdict(list)
    for photo in gone:
        groups[place_of(photo.path, places) if places else None].append(photo)
    elsewhere = groups.pop(None, [])
    stay = _stays(looked, elsewhere, passing)
    if stay and any(_is_whole(one) for one in looked):
        because = _passed_over(sum(os.path.lexists(root.path / photo.path) for photo in stay))
        messages.append(
            f"Photos of {root.path} that were missing before, and are not there now: {len(stay):,}{because}. "
            f"They are kept. {_named(root.path, stay)}"
        )
    held = {photo.id for photo in stay}
    believed = [photo for photo in elsewhere if photo.id not in held]
    if not places:
        return believed
    exchanged = exchanged_in(changes, places)
    found = [photo for one in changes for photo in one.found_again]
    returned = {place_of(photo.path, places) for photo in found}
    for back in returned - {None}:
        removals.forget(root.id, back or "")
    come = returned | {place_of(file.path, places) for one in changes for file in one.added}
    doubtful = come | exchanged.keys()
    for place in sorted((groups.keys() | doubtful) - {None}, key=str):
        photos = groups[place]
        kept = _stays(looked, photos, passing)
        now = [photo for photo in photos if not photo.missing or photo.missing_since in passing]
        if now or place in doubtful:
            inside = places_inside(places, place or "")
            lost, passed = removals.lately(root.id, place), [photo.id for photo in now if photo.missing]
            enough = math.ceil((len(now) + len(exchanged.get(place, ())) + lost) / LARGEST_SHARE) - lost - len(passed)
            moved_here, below = _arrived(looked, places, place), place or ""
            is_like = catalog.absences.has_present(root.id, enough, below=below, outside=inside, passed=moved_here)
            if (unseen := strange(library, root, seen, place or "", inside)) or not is_like:
                catalog.mark_missing(unseen, moment + KEPT)
                catalog.mark_found(passed)  # they are away since this moment, for a reason that does not pass
                kept += now
            else:
                removals.note(root.id, len(now), place)
        if kept:
            if not place:
                remember(library, root, takes_turns=True)
            catalog.mark_missing([photo.id for photo in kept], moment + KEPT)
            messages.append(
                f"{counted(len(kept), 'photo')} of {root.path / (place or '')} not found: "
                f"another drive may be there. What is known is kept. {_named(root.path, kept)}"
            )
        held = {photo.id for photo in kept}
        believed += [photo for photo in photos if photo.id not in held]
    return believed


def _arrived(looked: Sequence[Looked], places: Collection[str], place: str | None) -> set[int]:
    """The photos that were moved to where they are, and were not in that place: they say nothing of what was there."""
    moved = [item for one in looked for item in one.changes.arrived.items()]
    return {number for number, source in moved if source is None or place_of(source, places) != place}


def _went_with(photo: KnownPhoto) -> tuple[str, datetime | None]:
    """What photos have in common that were seen to lie on one drive: a folder, and since when they are missing."""
    return photo.path.rpartition("/")[0], photo.missing_since


def _stays(looked: Sequence[Looked], gone: Sequence[KnownPhoto], passing: Collection[datetime]) -> list[KnownPhoto]:
    """Those of the photos that stay until a person says that they are gone, whatever share of anything they are.

    They were missing before. With a drive that was away as many of their folder come back as they were; what a backup
    brings back, file by file, or a person out of a bin, says nothing of what they have not brought yet. Nor do links.
    """
    if not (away := [photo for photo in gone if photo.missing_since and photo.missing_since not in passing]):
        return []
    went = Counter(map(_went_with, gone))
    again = [(one.root.path, photo) for one in looked for photo in one.changes.back_as_they_were()]
    back = Counter(_went_with(photo) for root, photo in again if not (root / photo.path).is_symlink())
    return [photo for photo in away if went[_went_with(photo)] > back[_went_with(photo)]]


def _is_whole(one: Looked) -> bool:
    return one.deep and not one.below and not one.problem


def _mark_passing(library: Library, root_id: int, photos: Sequence[KnownPhoto]) -> None:
    """Mark photos as missing until the next run; what was missing before is so for the reason that it was."""
    if new := [photo.id for photo in photos if not photo.missing]:
        library.catalog.absences.mark_passing(root_id, new, datetime.now(UTC))


def _named(root: Path, photos: Sequence[KnownPhoto]) -> str:
    """What to run where these are gone for good, and what it takes with them."""
    folder = root / os.path.commonpath([photo.path.rpartition("/")[0] for photo in photos])
    return f"{advice(folder)} (this goes for all in that folder, also of drives that are not connected)"


def _kept(root: Path, gone: int, before: int, lately: int, passed_over: int, *, too_many: bool) -> str:
    """Say why photos that are not there stay."""
    notes = _passed_over(passed_over) + (
        f", and {counted(lately, 'was', 'were')} removed a while ago" if lately else ""
    )
    said = f"{gone:,} of the {counted(before, 'photo')} of {root} {'is' if gone == 1 else 'are'} not there{notes}."
    if too_many:
        return f"{said} Nothing {'more ' if lately else ''}was removed. {advice(root)}"
    return f"{said} What was there is kept until the next run, since the folder has just been found under this name."


def _passed_over(photos: int) -> str:
    return (
        f" ({counted(photos, 'of them is', 'of them are')} passed over by ignore rules, or found under another root)"
        if photos
        else ""
    )
