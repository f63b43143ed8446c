"""Photos onto whose paths others were moved: which of these moves are believed, so that none of them goes unguarded.

A photo that is away may come back to its path, and a large share of a root is not lost by files that replace others.
"""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from indexer.catalog.records import KnownPhoto
from indexer.folders.looking import Looked, advice
from indexer.folders.mounts import place_of, places_inside
from indexer.folders.moving import Gone, Place
from indexer.folders.removing import LARGEST_SHARE, Removals
from indexer.folders.renaming import drive_places, exchanged_in, strange
from indexer.library import Library

Pairs = list[tuple[Gone, Place]]
Held = Mapping[tuple[int, str], KnownPhoto]


def believed(
    library: Library, looked: Sequence[Looked], pairs: Pairs, held: Held, removals: Removals, messages: list[str]
) -> tuple[Pairs, Pairs]:
    """Leave out moves onto photos that may not be gone; those, and the ones that moved, are left as they are known.

    Args:
        library: asked how many photos a root has.
        looked: loses what it says of the photos and files of moves that are left out; who moved counts as out of reach.
        pairs: photos, and the files that show them.
        held: the photos whose files are other ones now, by root and path.
        removals: what was removed lately.
        messages: grows by a sentence for each root of which moves are left out.

    Returns:
        The pairs that are left, and those that are left out.
    """
    doubted, left = _doubted(library, looked, pairs, held, removals), pairs
    refused = Pairs()
    while True:  # who is left where it was cannot give way to the next one of a chain
        more = [(one, to) for one, to in left if (there := _there(held, to)) is not None and there.id in doubted]
        if not more:
            break
        refused += more
        kept = {one.photo.id for one, _ in more}
        left = [pair for pair in left if pair[0].photo.id not in kept]
        doubted |= kept
    if refused:
        _leave_as_known(looked, refused, held)
        roots: dict[int, Path] = {one.root.id: one.root.path for one in looked}
        for root_id, photos in Counter(to.root_id for _, to in refused).items():
            lie = "photos lie" if photos > 1 else "photo lies"
            messages.append(
                f"{photos:,} {lie} in {roots[root_id]} now where others were that may be on a drive that is away, "
                f"or are too many to be gone. All are kept as they were. {advice(roots[root_id])}"
            )
    return left, refused


def held_back_before(library: Library, looked: Sequence[Looked], shown: Mapping[int, Collection[str]]) -> list[Gone]:
    """Give the photos of folders that were not looked at, but for drives', which files show where missing ones were.

    They were moved there, which was not believed then: a look at that folder alone would take the file for the new
    picture of the photo that is kept there.

    Args:
        library: asked for photos that are missing.
        looked: the folders that a run has looked at.
        shown: the content hashes of those files, by root.
    """
    found = list[Gone]()
    for root_id, hashes in shown.items():
        of_root = [one for one in looked if one.root.id == root_id]
        places, top = library.catalog.mounts(root_id), of_root[0].root.path
        told = [one.changes for one in of_root]
        seen = {photo.id for one in told for photo in (*one.missing, *one.vanished, *one.unreachable, *one.found_again)}
        for photo in library.catalog.absences.missing_with(root_id, hashes):
            is_elsewhere = photo.id not in seen and place_of(photo.path, places) is None
            if is_elsewhere and not os.path.lexists(top / photo.path):
                found.append(Gone(root_id, photo))
    return found


def _doubted(library: Library, looked: Sequence[Looked], pairs: Pairs, held: Held, removals: Removals) -> set[int]:
    """The ids of photos that would go, and are away, or too large a share of their root."""
    moved = {one.photo.id for one, _ in pairs}
    going: defaultdict[int, list[KnownPhoto]] = defaultdict(list)
    for _, to in pairs:
        there = _there(held, to)
        if there is not None and there.id not in moved and there.state == "ok":
            going[to.root_id].append(there)
    doubted = {photo.id for photos in going.values() for photo in photos if photo.missing}
    for root_id, photos in going.items():
        present = [photo for photo in photos if not photo.missing]
        others = [photo for one in looked if one.root.id == root_id for photo in one.changes.missing]
        new = [photo for photo in others if not photo.missing and photo.id not in moved]
        gone, lately = len(present) + len(new), removals.lately(root_id)
        enough = math.ceil((gone + lately) / LARGEST_SHARE) - lately
        if present and not library.catalog.absences.has_present(root_id, enough):
            doubted |= {photo.id for photo in present}
        of_root = [one for one in looked if one.root.id == root_id]
        doubted |= _of_drives(library, of_root, present, moved, removals)
    return doubted


def _of_drives(
    library: Library, looked: Sequence[Looked], going: Sequence[KnownPhoto], moved: set[int], removals: Removals
) -> set[int]:
    """The ids of those that lie where another drive may be by now: less than half of the place is as it was."""
    root, changes = looked[0].root, [one.changes for one in looked]
    places, doubted = drive_places(library, root, changes), set[int]()
    if not places:
        return doubted
    of_places: defaultdict[str | None, list[KnownPhoto]] = defaultdict(list)
    for photo in going:
        of_places[place_of(photo.path, places)].append(photo)
    exchanged, seen = exchanged_in(changes, places), [(one.below, one.deep) for one in looked]
    missing = [photo for one in changes for photo in one.missing if not photo.missing and photo.id not in moved]
    absent = Counter(place_of(photo.path, places) for photo in missing)
    for place in of_places.keys() - {None}:
        lately, inside = removals.lately(root.id, place), places_inside(places, place or "")
        others = {photo.id for photo in (*of_places[place], *exchanged.get(place, ()))} - moved
        enough = math.ceil((len(others) + absent[place] + lately) / LARGEST_SHARE) - lately
        is_like = library.catalog.absences.has_present(root.id, enough, below=place or "", outside=inside)
        if not is_like or strange(library, root, seen, place or "", inside):
            doubted |= {photo.id for photo in of_places[place]}
    return doubted


def _there(held: Held, to: Place) -> KnownPhoto | None:
    return held.get((to.root_id, to.file.path))


def _leave_as_known(looked: Sequence[Looked], refused: Pairs, held: Held) -> None:
    places = {(to.root_id, to.file.path) for _, to in refused}
    ids = {one.photo.id for one, _ in refused}
    there = {held[place].id for place in places}
    for one in looked:
        changes, root = one.changes, one.root.id
        away = [photo for photo in (*changes.missing, *changes.vanished) if photo.id in ids]
        changes.missing = [photo for photo in changes.missing if photo.id not in ids]
        changes.vanished = [photo for photo in changes.vanished if photo.id not in ids]
        changes.found_again = [photo for photo in changes.found_again if photo.id not in there]
        away += [known for file, known in changes.changed if (root, file.path) in places]
        changes.changed = [change for change in changes.changed if (root, change.file.path) not in places]
        changes.unreachable = [*changes.unreachable, *away]
