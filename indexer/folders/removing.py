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

from indexer.catalog.records import FoundFile, KnownPhoto
from indexer.folders.looking import Looked, advice
from indexer.folders.mounts import holds, is_mount
from indexer.library import Library

LARGEST_SHARE = 0.5  # of a root's photos that are removed without being told to
MARKS = 100  # moments at which photos were marked for a reason that passes, the last ones of a root
RECENT_S = 3600.0  # what was removed in this time counts


class Removals:
    """How many photos of each root were removed lately, over all runs that are given the same one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing yet; `clock` gives seconds."""
        self._clock = clock
        self._removed: dict[int, list[tuple[float, int]]] = {}

    def note(self, root_id: int, photos: int) -> None:
        """Take in that photos of a root were removed now."""
        self._removed.setdefault(root_id, []).append((self._clock(), photos))

    def lately(self, root_id: int) -> int:
        """How many photos of a root were removed in the last RECENT_S."""
        since = self._clock() - RECENT_S
        recent = self._removed[root_id] = [one for one in self._removed.get(root_id, []) if one[0] > since]
        return sum(photos for _, photos in recent)


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
        if out_of_reach := [photo.id for photo in one.changes.unreachable]:
            library.catalog.mark_missing(out_of_reach, now)
        _mark_passing(library, one.root.id, one.changes.vanished)
        roots[one.root.id] = one.root.path
        missing[one.root.id] += one.changes.missing
    unused, removed = list[str](), 0
    for root_id, gone in missing.items():
        if not gone:
            continue
        if not allowed:
            of_root = [one for one in all_looked if one.root.id == root_id]
            gone = _without_drives(library, of_root, gone, messages)
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
    library: Library, looked: Sequence[Looked], gone: list[KnownPhoto], messages: list[str]
) -> list[KnownPhoto]:
    """Leave out photos of drives in whose place others may be: mark them, and say so.

    A place where a drive is mounted shows what lies on it, and nothing of which drive that is. So of the photos that
    were there at the last look no more than LARGEST_SHARE goes at once, those counted whose files are others now; and
    those that were away go only where at least as many of them have come back: then it is their drive, on which the
    others are deleted.
    """
    root, catalog = looked[0].root, library.catalog
    places = catalog.mounts(root.id) | ({""} if is_mount(root.path) else set())
    groups: defaultdict[str | None, list[KnownPhoto]] = defaultdict(list)
    for photo in gone:
        groups[_place(photo.path, places)].append(photo)
    changes = [one.changes for one in looked]
    others = {known.id: known.path for one in changes for file, known in one.changed if _is_other(file, known)}
    exchanged = Counter(_place(path, places) for path in others.values())
    again = Counter(_place(p.path, places) for one in changes for p in one.found_again if p.id not in others)
    believed = groups.pop(None, [])
    for place, photos in groups.items():
        before = _away(library, root.id, [photo for photo in photos if photo.missing])
        now = [photo for photo in photos if not photo.missing]
        kept = before if len(before) > again[place] else []
        if place and now:  # a root as a whole has its own guard
            inside = [other for other in places if other != place and holds(place, other)]
            enough = math.ceil((len(now) + exchanged[place]) / LARGEST_SHARE)
            kept = kept if catalog.has_present(root.id, place, inside, enough) else kept + now
        if kept:
            catalog.mark_missing([photo.id for photo in kept], datetime.now(UTC))
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


def _away(library: Library, root_id: int, photos: list[KnownPhoto]) -> list[KnownPhoto]:
    """Those that are missing for another reason than one that has passed."""
    if not photos:
        return photos
    marks = {
        datetime.fromisoformat(mark) for mark in json.loads(library.catalog.setting(_passing_key(root_id)) or "[]")
    }
    if not marks:
        return photos
    records = library.catalog.photos([photo.id for photo in photos])
    passing = {record.id for record in records if record.missing_since in marks}
    return [photo for photo in photos if photo.id not in passing]


def _passing_key(root_id: int) -> str:
    return f"passing {root_id}"


def _place(path: str, places: Collection[str]) -> str | None:
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
