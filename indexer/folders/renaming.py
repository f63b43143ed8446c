"""Which folder a root is: a new one with nearly all its photos, where it is gone; or another drive's, of the same name.

A copy of a part of them is a folder of its own: the rest may lie on a drive that is not connected. A root may lie below
the place where a drive is mounted, and nothing but what it is numbered by tells that it is another folder.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from indexer.catalog.records import KnownPhoto, RootPath, Sampled
from indexer.catalog.stamps import Stamped, inode_of, storable_ns
from indexer.errors import ImageError
from indexer.folders.comparison import Changes
from indexer.folders.found import Scan
from indexer.folders.mounts import holds, is_mount, place_of
from indexer.library import Library
from indexer.pictures import images

SHARE = 0.9  # of an absent root's photos that another folder has to hold to be that root under a new name
SAMPLED_OF_REST = 64  # photos of a drive that are looked for where a run came by a part of it
LEAST_LIKE = 0.5  # of those, that are as they were where it is the same drive
SAMPLED = 16  # of those, whose content is compared


def is_renamed(known: dict[str, KnownPhoto], found: Scan, folder: Path) -> bool:
    """Whether a scan shows a root's photos at their paths, with their sizes and, in a sample, their content.

    Those count that were there when it was last seen: the others are kept, or on drives that are away.
    """
    last = max((photo.missing_since for photo in known.values() if photo.missing_since), default=None)
    there = [p for p in known.values() if not p.missing] or [p for p in known.values() if p.missing_since == last]
    same = [p for p in there if (file := found.files.get(p.path)) and file.size == p.size and p.content_hash]
    if not same or len(same) < SHARE * len(there):
        return False
    sample = same[:: -(-len(same) // SAMPLED)]
    return all(_has_content(folder / photo.path, photo.content_hash or "") for photo in sample)


def _has_content(path: Path, content: str) -> bool:
    try:
        return images.hash_file(path, like=[content]) == content
    except ImageError:
        return False


class _Top(NamedTuple):
    """What is remembered of a root's folder: its path, what it is numbered by, whether drives take turns there."""

    path: str
    number: str = ""
    takes_turns: bool = False


def may_be_another(library: Library, root: RootPath) -> bool:
    """Whether a root's folder is not the one of the last look, or was found to be by turns that of several drives."""
    before, now = _remembered(library, root), _number(root.path)
    return before.takes_turns or bool(before.number and now and now != before.number)


def remember(library: Library, root: RootPath, *, takes_turns: bool | None = None) -> None:
    """Keep which folder a root is; or, from now on, that drives take turns there; or both, where they do not."""
    before = _remembered(library, root)
    after = before if takes_turns else before._replace(number=_number(root.path) or before.number)
    if takes_turns is not None:
        after = after._replace(takes_turns=takes_turns)
    if after != before:
        library.catalog.set_setting(_key(root), json.dumps(after))


def _remembered(library: Library, root: RootPath) -> _Top:
    """What is known of a root that lies where it does: numbers of roots are given again."""
    top = _Top(*json.loads(library.catalog.setting(_key(root)) or '[""]'))
    return top if top.path == str(root.path) else _Top(str(root.path))


def _key(root: RootPath) -> str:
    return f"top {root.id}"


def _number(folder: Path) -> str:
    """The file system of a folder, as far as it has a number of its own, and the number of the folder; "" of none."""
    try:
        status = folder.stat()
        system = os.statvfs(folder).f_fsid if hasattr(os, "statvfs") else 0
    except OSError:
        return ""
    return f"{system or status.st_dev} {status.st_ino}"


def strange(
    library: Library,
    top: RootPath,
    seen: Collection[tuple[str, bool]],
    place: str,
    inside: Collection[str],
) -> list[int]:
    """The photos of a place that a run did not come by, where most of a sample are gone, or have other stamps.

    Args:
        library: which is read.
        top: the root.
        seen: the folders that the run has looked at, and whether with what is below them.
        place: a folder of the root where a drive may be.
        inside: places in it.
    """
    catalog, deep = library.catalog, [below for below, is_deep in seen if is_deep]
    if any(not below or holds(below, place) for below in deep):
        return []
    files = {below for below, is_deep in seen if not is_deep}

    def is_seen(folder: str) -> bool:
        return folder in files or any(holds(other, folder) for other in (*deep, *inside))

    sample = catalog.sample(top.id, place, is_seen, SAMPLED_OF_REST)
    there = sum(_is_like(top.path / one.path, one) for one in sample)
    if there >= len(sample) * LEAST_LIKE:
        return []
    known = catalog.known(top.id, place, model_id=0).values()
    return [photo.id for photo in known if not photo.missing and not is_seen(photo.path.rpartition("/")[0])]


def drive_places(library: Library, root: RootPath, changes: Sequence[Changes]) -> set[str]:
    """The folders of a root where drives are mounted, with "" for the root itself where another drive may lie there."""
    places = library.catalog.mounts(root.id)
    is_other = any(one.missing or one.changed or one.left or one.added or one.found_again for one in changes)
    return {*places, ""} if is_other and (is_mount(root.path) or may_be_another(library, root)) else places


def exchanged_in(changes: Sequence[Changes], places: Collection[str]) -> dict[str | None, list[KnownPhoto]]:
    """Photos that were there, and under whose paths other files lie by now, by the place that holds them, if any."""
    found: defaultdict[str | None, dict[int, KnownPhoto]] = defaultdict(dict)
    for one in changes:
        for file, known in (*one.changed, *one.left):
            if not known.missing and not is_same_file(known, file):
                found[place_of(known.path, places)][known.id] = known
    return {place: [*photos.values()] for place, photos in found.items()}


def is_same_file(before: Stamped, now: Stamped) -> bool:
    """Whether a file is the one it was, not a copy of it: size and time are, and that of the last change or the number.

    A copy keeps neither of these two; who changes owners or modes leaves the number. Where another file was seen there
    since (`Catalog.void_stamps`) none is: the one that is back was not there at the last look.
    """
    if (before.size, before.mtime_ns) != (now.size, now.mtime_ns):
        return False
    return before.ctime_ns in (None, now.ctime_ns) or bool(now.inode and before.inode == now.inode)


def _is_like(path: Path, before: Sampled) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    times = storable_ns(status.st_mtime_ns), storable_ns(status.st_ctime_ns)
    return is_same_file(before, Sampled(before.path, status.st_size, *times, inode_of(status)))
