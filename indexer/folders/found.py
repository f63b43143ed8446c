"""What a scan found: files that look like photos, and what could not be seen. A plain record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from indexer.catalog.records import FoundFile


class Visit(NamedTuple):
    """A folder as it was when it was listed.

    `path` is where it lies on disk, `below` in the root; `is_top` says that a device, or the scan, begins there.
    """

    path: str
    below: str
    device: int
    inode: int
    mtime_ns: int
    is_top: bool


@dataclass(frozen=True)
class Scan:
    """What lies in a root, or in one of its subfolders.

    Attributes:
        files: by path, in an order that is the same for the same files.
        unreadable: files and subfolders that could not be read in full, or went meanwhile; what they are or hold is
            unknown, not absent.
        vanished: those of them that were moved or deleted meanwhile, as far as can be told.
        broken_links: links that lead nowhere: perhaps to a drive that is not connected.
        mounts: subfolders that lie on another device than the folder that holds them.
        notes: a sentence for each ignore file that cannot be read; its folder is among the unreadable ones.
        visits: every folder that was listed, as it was then.
        problem: why nothing at all could be seen (absent, no permission, no folder, empty); None where all is well.
    """

    files: dict[str, FoundFile]
    unreadable: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    broken_links: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    problem: str | None = None
