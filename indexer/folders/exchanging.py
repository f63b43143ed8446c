"""Files at the paths of known photos that are another drive's: no photo becomes another one since its drive is away.

Cameras count from 1 on each card, so that names come again. Nothing tells one drive from another for certain: devices
and names change with every reboot, or stay the same for all cards of a reader. So what lies there is counted.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from indexer.catalog.records import KnownPhoto, RootPath
from indexer.folders.agreement import Heads
from indexer.folders.comparison import ChangedFile
from indexer.folders.hashing import Hashes
from indexer.folders.looking import Look, Looked, advice
from indexer.folders.mounts import holds
from indexer.folders.removing import missing_since, place_of, places_in
from indexer.metadata.shots import agree, says_when

SAMPLED = 64  # photos of a drive that are looked for where a look came by a part of it


def hold_back(look: Look, looked: Iterable[Looked], hashes: Hashes, heads: Heads) -> None:
    """Take files that show other pictures than the photos of their paths out of the changes, where a drive may be away.

    So it is where a drive or share is mounted, and fewer of the photos that were there at the last look show what they
    did than show another picture; and of photos that went away at one time, where fewer are back. A file of the same
    moment and camera stays, and one that was seen to be written to, if anything there is as it was. What is held back
    stands in `Changes.strange`.
    """
    for one in looked:
        places = places_in(look.library, one.root)
        groups: defaultdict[tuple[str, datetime | None], list[ChangedFile]] = defaultdict(list)
        away = [change.known for change in one.changes.changed if change.known.missing] if places else []
        since = missing_since(look.library, away)
        for change in one.changes.changed:
            place, is_sound = place_of(change.file.path, places), change.known.state == "ok"
            if place is not None and is_sound and change.known.content_hash:
                groups[place, since.get(change.known.id)].append(change)
        for (place, moment), changed in groups.items():
            if not (others := _others(one, changed, hashes)):
                continue
            same, strange = _counted(look, one, place, places, moment, others, hashes)
            if same < strange:
                trusted = look.written if same and moment is None else ()
                unseen = [change for change in others if str(one.root.path / change.file.path) not in trusted]
                _hold(look, one, place, _of_other_shots(look, one.root, unseen, heads))


def release(looked: Iterable[Looked]) -> None:
    """Take what was held back for new, and the photos of its paths for gone, since a person says so."""
    for one in looked:
        for file, known in one.changes.strange:
            one.changes.missing.append(known)
            one.changes.added.append(file)
        one.changes.strange = []


def _others(one: Looked, changed: Sequence[ChangedFile], hashes: Hashes) -> list[ChangedFile]:
    """Those that show another picture; a file that cannot be read shows none."""
    known = [change.known.content_hash or "" for change in changed]
    contents = hashes([one.root.path / change.file.path for change in changed], [[content] for content in known])
    pairs = zip(changed, known, contents, strict=True)
    return [change for change, before, now in pairs if now is not None and now != before]


def _counted(
    look: Look,
    one: Looked,
    place: str,
    places: Collection[str],
    moment: datetime | None,
    others: Sequence[ChangedFile],
    hashes: Hashes,
) -> tuple[int, int]:
    """How many photos of a place are as they were, and how many others are: in a sample, where a look saw a part.

    They are those that were there at the last look, or went away at a moment.
    """
    catalog, changes = look.library.catalog, one.changes
    covers = one.deep and (not one.below or holds(one.below, place))
    known = catalog.known(one.root.id, place, model_id=look.model_id)
    of_place = [p for p in known.values() if p.missing == bool(moment) and place_of(p.path, places) == place]
    if moment is not None:
        since = missing_since(look.library, of_place)
        of_place = [photo for photo in of_place if since.get(photo.id) == moment]
    seen = {photo.path for photo in of_place if one.deep and (not one.below or photo.path.startswith(f"{one.below}/"))}
    if not one.deep:
        seen = {photo.path for photo in of_place if photo.path.rpartition("/")[0] == one.below}
    absent = {photo.path for photo in (*changes.missing, *changes.vanished, *changes.unreachable)}
    same = len(seen - absent - {change.file.path for change in others})
    strange = _strange(one, place, others, hashes)
    if not covers:
        rest = [photo for photo in of_place if photo.path not in seen]
        sample = rest[:: -(-len(rest) // SAMPLED)] if rest else []
        still = sum(_is_as_it_was(one.root.path, photo) for photo in sample)
        same += still
        strange += 0 if moment else len(sample) - still
    return same, strange


def _strange(one: Looked, place: str, others: Sequence[ChangedFile], hashes: Hashes) -> int:
    """How many show what no photo of the place did that is not where it was: those that do were moved."""
    contents = hashes(
        [one.root.path / change.file.path for change in others],
        [[change.known.content_hash or ""] for change in others],
    )
    moved = {change.known.content_hash for change in others}
    moved |= {photo.content_hash for photo in (*one.changes.missing, *one.changes.vanished) if holds(place, photo.path)}
    return sum(content not in moved for content in contents)


def _is_as_it_was(root: Path, photo: KnownPhoto) -> bool:
    try:
        status = os.stat(root / photo.path)  # noqa: PTH116
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (photo.size, photo.mtime_ns)


def _of_other_shots(look: Look, root: RootPath, others: Sequence[ChangedFile], heads: Heads) -> list[ChangedFile]:
    """Those that do not say that they were taken when the photos were, with the same camera."""
    found = heads(root.path, [change.file for change in others])
    known = look.library.catalog.shots([change.known.id for change in others])
    held = []
    for change in others:
        shot, before = found[change.file.path], known[change.known.id]
        if shot is None or not (says_when(shot) and says_when(before) and agree(before, shot)):
            held.append(change)
    return held


def _hold(look: Look, one: Looked, place: str, held: Sequence[ChangedFile]) -> None:
    if not held:
        return
    changes, ids = one.changes, {change.known.id for change in held}
    changes.strange += held
    changes.changed = [change for change in changes.changed if change.known.id not in ids]
    changes.found_again = [photo for photo in changes.found_again if photo.id not in ids]
    for file, _ in held:  # nor does what lies beside the one belong to the other
        one.paired.scan.files.pop(file.path, None)
        one.paired.companions.pop(file.path, None)
    if not look.allow_mass_removal:
        look.messages.append(
            f"{len(held):,} files of {one.root.path / place} have the names of photos and show others: another drive "
            f"may be in the place of theirs. The photos are kept, and the files left out. {advice(one.root.path)}"
        )
