"""What a scan found: files that look like photos, and what could not be seen. A plain record."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.catalog.records import FoundFile


@dataclass(frozen=True)
class Scan:
    """What lies in a root, or in one of its subfolders.

    Attributes:
        files: by path, in an order that is the same for the same files.
        unreadable: subfolders that could not be listed in full; what is below them is unknown, not absent.
        broken_links: links, not named like photos, that lead nowhere: perhaps to a drive that is not connected.
        mounts: subfolders that lie on another device than the folder that holds them.
        notes: a sentence for each ignore file that cannot be read; its folder is among the unreadable ones.
        problem: why nothing at all could be seen (absent, no permission, no folder, empty); None where all is well.
    """

    files: dict[str, FoundFile]
    unreadable: tuple[str, ...] = ()
    broken_links: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str | None = None
