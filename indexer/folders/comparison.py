"""Compares what a scan found with what the catalog knows, by path, size and modification time. Pure.

Moves are not found out here: they need content hashes, and this opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from indexer.catalog.records import FoundFile, KnownPhoto
from indexer.folders.found import Scan
from indexer.folders.rechecking import lies_below


class ChangedFile(NamedTuple):
    """A file whose stamp is not the one that the catalog knows."""

    file: FoundFile
    known: KnownPhoto


@dataclass
class Changes:
    """What is to be done about a root. Every file found is in one of the first four, or counted in the last two.

    Attributes:
        added: files that the catalog does not know.
        changed: files with another size or time, failed ones among them.
        to_embed: sound, unchanged photos that lack the model's embedding.
        to_describe: sound, unchanged, embedded photos whose sidecar is not the one that was read with them.
        missing: photos whose file is not there.
        unreachable: photos of which that cannot be told: they lie below folders that could not be read.
        vanished: photos whose file or folder went while it was looked at; they may have moved, and are not gone yet.
        found_again: photos that were missing and are there, whatever else is true of them.
        unchanged: how many sound photos are as they were, with an embedding.
        unchanged_failed: how many failed ones are as they were; they are not tried again.
    """

    added: list[FoundFile] = field(default_factory=list)
    changed: list[ChangedFile] = field(default_factory=list)
    to_embed: list[ChangedFile] = field(default_factory=list)
    to_describe: list[ChangedFile] = field(default_factory=list)
    missing: list[KnownPhoto] = field(default_factory=list)
    unreachable: list[KnownPhoto] = field(default_factory=list)
    vanished: list[KnownPhoto] = field(default_factory=list)
    found_again: list[KnownPhoto] = field(default_factory=list)
    unchanged: int = 0
    unchanged_failed: int = 0


def compare(known: Mapping[str, KnownPhoto], scan: Scan) -> Changes:
    """Compare; where the scan as a whole had a problem, nothing is missing."""
    changes = Changes()
    for path, file in scan.files.items():
        photo = known.get(path)
        if photo is None:
            changes.added.append(file)
            continue
        if photo.missing:
            changes.found_again.append(photo)
        if photo.size != file.size or photo.mtime_ns != file.mtime_ns:
            changes.changed.append(ChangedFile(file, photo))
        elif photo.state == "failed":
            changes.unchanged_failed += 1
        elif not photo.embedded:
            changes.to_embed.append(ChangedFile(file, photo))
        elif photo.sidecar != file.sidecar:
            changes.to_describe.append(ChangedFile(file, photo))
        else:
            changes.unchanged += 1
    if scan.problem is None:
        _note_absences(known, scan, changes)
    return changes


def _note_absences(known: Mapping[str, KnownPhoto], scan: Scan, changes: Changes) -> None:
    vanished = set(scan.vanished)
    unseen = {*scan.unreadable, *scan.broken_links} - vanished
    for path, photo in known.items():
        if path in scan.files:
            continue
        if unseen and lies_below(path, unseen):
            changes.unreachable.append(photo)
        elif vanished and lies_below(path, vanished):
            changes.vanished.append(photo)
        else:
            changes.missing.append(photo)
