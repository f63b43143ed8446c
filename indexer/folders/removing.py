"""Which photos that are not there leave the library: no large share of a root goes at once, unless a person says so.

The share is that of a whole run, and of what one process has removed lately: a loss comes in as many batches as it
takes the disk to lose its folders.
"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path

from indexer.catalog.records import KnownPhoto
from indexer.folders.looking import Looked, advice
from indexer.library import Library

LARGEST_SHARE = 0.5  # of a root's photos that are removed without being told to
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
    for one in looked:
        if out_of_reach := [photo.id for photo in (*one.changes.unreachable, *one.changes.vanished)]:
            library.catalog.mark_missing(out_of_reach, now)
        roots[one.root.id] = one.root.path
        missing[one.root.id] += one.changes.missing
    unused, removed = list[str](), 0
    for root_id, gone in missing.items():
        if not gone:
            continue
        lately = removals.lately(root_id)
        enough = math.ceil((len(gone) + lately) / LARGEST_SHARE) - lately
        too_many = not allowed and not library.catalog.has_at_least(root_id, enough)
        if too_many or root_id in renamed:
            before = library.catalog.size_of(root_id) + lately
            absent = [photo.id for photo in gone if not os.path.lexists(roots[root_id] / photo.path)]
            library.catalog.mark_missing(absent, now)
            passed_over = len(gone) - len(absent)
            messages.append(_kept(roots[root_id], len(gone), before, lately, passed_over, too_many=too_many))
            continue
        unused += library.catalog.remove([photo.id for photo in gone])
        removals.note(root_id, len(gone))
        removed += len(gone)
    return unused, removed


def _kept(root: Path, gone: int, before: int, lately: int, passed_over: int, *, too_many: bool) -> str:
    """Say why photos that are not there stay."""
    because = f" ({passed_over:,} of them are passed over by ignore rules, or found under another root)"
    notes = (because if passed_over else "") + (f", and {lately:,} were removed a while ago" if lately else "")
    said = f"{gone:,} of the {before:,} photos of {root} are not there{notes}."
    if too_many:
        return f"{said} Nothing {'more ' if lately else ''}was removed. {advice(root)}"
    return f"{said} They are kept until the next run, since the folder has just been found under this name."
