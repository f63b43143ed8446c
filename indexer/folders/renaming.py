"""Roots that were renamed as a whole: a new folder with nearly all the photos of a root that is gone is that root.

A copy of a part of them is a folder of its own: the rest may lie on a drive that is not connected.
"""

from __future__ import annotations

from pathlib import Path

from indexer.catalog.records import KnownPhoto
from indexer.errors import ImageError
from indexer.folders.found import Scan
from indexer.pictures import images

SHARE = 0.9  # of an absent root's photos that another folder has to hold to be that root under a new name
SAMPLED = 16  # of those, whose content is compared


def is_renamed(known: dict[str, KnownPhoto], found: Scan, folder: Path) -> bool:
    """Whether a scan shows a root's photos at their paths, with their sizes and, in a sample, their content."""
    same = [p for p in known.values() if (file := found.files.get(p.path)) and file.size == p.size and p.content_hash]
    if not same or len(same) < SHARE * len(known):
        return False
    sample = same[:: -(-len(same) // SAMPLED)]
    return all(_has_content(folder / photo.path, photo.content_hash or "") for photo in sample)


def _has_content(path: Path, content: str) -> bool:
    try:
        return images.hash_file(path, like=[content]) == content
    except ImageError:
        return False
