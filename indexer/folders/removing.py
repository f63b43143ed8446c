"""Which photos that are not there leave the library: no large share of a root goes at once, unless a person says so.

The share is that of a whole run, and of what one process has removed lately: a loss comes in as many batches as it
takes the disk to lose its folders.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from indexer.catalog.records import FoundFile, KnownPhoto, RootPath
from indexer.folders.looking import Looked, advice
from indexer.folders.mounts import holds, is_mount
from indexer.library import Library

LARGEST_SHARE = 0.5  # of a root's photos that are removed without being told to
MARKS = 100  # moments at which photos were marked for a reason that passes, the last ones of a root
AT_ONCE = 1000  # photos whose rows are read
RECENT_S = 3600.0  # what was removed in this time counts


class Removals:
    """How many photos of roots, and of drives in them, went lately, over all runs that are given the same one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing yet; `clock` gives seconds."""
        self._clock = clock
        self._went: defaultdict[tuple[int, str | None], list[tuple[float, int]]] = defaultdict(list)

    def note(self, root_id: int, photos: int, drive: str | None = None) -> None:
        """Take in that photos were removed from a root, or are not on a drive in it any more."""
        self._went[root_id, drive].append((self._clock(), photos))

    def lately(self, root_id: int, drive: str | None = None) -> int:
        """How many that were in the last RECENT_S."""
        since, key = self._clock() - RECENT_S, (root_id, drive)
        recent = self._went[key] = [one for one in self._went[key] if one[0] > since]
        return sum(photos for _, photos in recent)

    def forget(self, root_id: int, drive: str) -> None:
        """Let go of what was not on a drive: it has come back."""
        self._went.pop((root_id, drive), None)


def note_returns(library: Library, looked: Iterable[Looked]) -> None:
    """Keep in the changes since when photos that are found again were missing, where others still are on a drive."""
    for one in looked:
        changes = one.changes
        if changes.found_again and any(photo.missing for photo in changes.missing) and places_in(library, one.root):
            changes.since = missing_since(library, changes.found_again)


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
    roots: dict[int, Path] = {}
    missing: defaultdict[int, list[KnownPhoto]] = defaultdict(list)
    all_looked = list(looked)
    for one in all_looked:
        strange = [known for _, known in one.changes.strange]
        if out_of_reach := [photo.id for photo in (*one.changes.unreachable, *strange)]:
            library.catalog.mark_missing(out_of_reach, now)
        _mark_passing(library, one.root.id, one.changes.vanished)
        roots[one.root.id] = one.root.path
        missing[one.root.id] += one.changes.missing
    unused, removed = list[str](), 0
    for root_id, gone in missing.items():
        if not allowed:
            of_root = [one for one in all_looked if one.root.id == root_id]
            gone = _without_drives(library, of_root, gone, removals, now, messages)
        if not gone:
            continue
        lately = removals.lately(root_id)
        enough = math.ceil((len(gone) + lately) / LARGEST_SHARE) - lately
        too_many = not allowed and not library.catalog.has_at_least(root_id, enough)
        if too_many or root_id in renamed:
            before = library.catalog.size_of(root_id) + lately
            absent = [photo for photo in gone if not os.path.lexists(roots[root_id] / photo.path)]
            if too_many:
                library.catalog.mark_missing([photo.id for photo in absent], now)
            else:
                _mark_passing(library, root_id, absent)
            passed_over = len(gone) - len(absent)
            messages.append(_kept(roots[root_id], len(gone), before, lately, passed_over, too_many=too_many))
            continue
        unused += library.catalog.remove([photo.id for photo in gone])
        removals.note(root_id, len(gone))
        removed += len(gone)
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
    were there at the last look no more than LARGEST_SHARE goes, over all looks of late, since one may be of a part;
    those count whose files are others now, those that were away do not count as there, and none goes where a file is
    held back (exchanging.py). Of photos that went away at one time, as those of one drive do, some go only where at
    least as many have come back: then it is their drive, on which they were deleted.
    """
    root, catalog = looked[0].root, library.catalog
    if not (places := places_in(library, root)):
        return gone
    groups: defaultdict[str | None, list[KnownPhoto]] = defaultdict(list)
    for photo in gone:
        groups[place_of(photo.path, places)].append(photo)
    changes = [one.changes for one in looked]
    others = {known.id: known.path for one in changes for file, known in one.changed if _is_other(file, known)}
    exchanged = Counter(place_of(path, places) for path in others.values())
    found = [photo for one in changes for photo in one.found_again if photo.id not in others]
    since = {number: moment for one in changes for number, moment in one.since.items()}
    again = Counter((place_of(photo.path, places), since.get(photo.id)) for photo in found)
    away = Counter(place_of(p.path, places) for one in changes for _, p in one.strange if not p.missing)
    returned = Counter(place_of(photo.path, places) for one in changes for photo in one.found_again)
    for back in returned:
        removals.forget(root.id, back or "")
    for left, count in away.items():
        removals.note(root.id, count, left or "")
    believed = groups.pop(None, [])
    for place, photos in groups.items():
        before = _away(library, root.id, [photo for photo in photos if photo.missing])
        now = [photo for photo in photos if not photo.missing]
        went = Counter(before.values())
        kept = [p for p in photos if (at := before.get(p.id)) and went[at] > again[place, at]]
        signs = returned[place] + away[place] + exchanged[place]
        if place is not None and now and (place or signs):  # else a root as a whole has its own guard
            inside = [other for other in places if other != place and holds(place, other)]
            lost = removals.lately(root.id, place)
            enough = math.ceil((len(now) + exchanged[place] + lost) / LARGEST_SHARE) - lost + returned[place]
            too_many = bool(away[place]) or not catalog.has_present(root.id, place, inside, enough)
            kept = kept + now if too_many else kept
            removals.note(root.id, len(now), place)
        if kept:
            catalog.mark_missing([photo.id for photo in kept], moment)
            messages.append(
                f"{len(kept):,} photos of {root.path / (place or '')} are not there: another drive may be in the place "
                f"of theirs. They are kept. {advice(root.path)}"
            )
        held = {photo.id for photo in kept}
        believed += [photo for photo in photos if photo.id not in held]
    return believed


def _is_other(file: FoundFile, known: KnownPhoto) -> bool:
    return (file.size, file.mtime_ns) != (known.size, known.mtime_ns)


def _mark_passing(library: Library, root_id: int, photos: Sequence[KnownPhoto]) -> None:
    """Mark photos as missing until the next run, by which they are gone if they are not there: no drive is away."""
    if not photos:
        return
    when, key = datetime.now(UTC), _passing_key(root_id)
    library.catalog.mark_missing([photo.id for photo in photos], when)
    marks = [*json.loads(library.catalog.setting(key) or "[]"), when.isoformat()]
    library.catalog.set_setting(key, json.dumps(marks[-MARKS:]))


def _away(library: Library, root_id: int, photos: Sequence[KnownPhoto]) -> dict[int, datetime]:
    """Since when those are missing, by their ids, that are so for another reason than one that has passed."""
    if not photos:
        return {}
    marks = json.loads(library.catalog.setting(_passing_key(root_id)) or "[]")
    passing = {datetime.fromisoformat(mark) for mark in marks}
    return {number: at for number, at in missing_since(library, photos).items() if at not in passing}


def missing_since(library: Library, photos: Sequence[KnownPhoto]) -> dict[int, datetime]:
    """Since when photos are missing, by the ids of those that are."""
    ids, since = [photo.id for photo in photos], dict[int, datetime]()
    for start in range(0, len(ids), AT_ONCE):
        records = library.catalog.photos(ids[start : start + AT_ONCE])
        since |= {record.id: record.missing_since for record in records if record.missing_since}
    return since


def _passing_key(root_id: int) -> str:
    return f"passing {root_id}"


def places_in(library: Library, root: RootPath) -> set[str]:
    """The folders of a root where drives or shares are or were mounted, "" for the root itself."""
    return library.catalog.mounts(root.id) | ({""} if is_mount(root.path) else set())


def place_of(path: str, places: Collection[str]) -> str | None:
    """The innermost of some places that holds a path; None where none does."""
    return max((place for place in places if not place or holds(place, path)), key=len, default=None)


def _kept(root: Path, gone: int, before: int, lately: int, passed_over: int, *, too_many: bool) -> str:
    """Say why photos that are not there stay."""
    because = f" ({passed_over:,} of them are passed over by ignore rules, or found under another root)"
    notes = (because if passed_over else "") + (f", and {lately:,} were removed a while ago" if lately else "")
    said = f"{gone:,} of the {before:,} photos of {root} are not there{notes}."
    if too_many:
        return f"{said} Nothing {'more ' if lately else ''}was removed. {advice(root)}"
    return f"{said} They are kept until the next run, since the folder has just been found under this name."
