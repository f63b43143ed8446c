"""Compares what a scan found with what the catalog knows, by path and stamp (see stamps.py). Pure.

Moves are not found out here: they need content hashes, and this opens nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from indexer.catalog.records import FoundFile, KnownPhoto
from indexer.catalog.stamps import Restamp
from indexer.folders.found import Scan
from indexer.folders.rechecking import lies_below
from indexer.metadata import sidecar

RENUMBERED = 8  # files of a folder, at the least, of which the numbers alone are others: as good a proof as it takes


class ChangedFile(NamedTuple):
    """A file whose stamp is not the one that the catalog knows."""

    file: FoundFile
    known: KnownPhoto


@dataclass
class Changes:
    """What is to be done about a root. Every file found is in one of the first four, or counted in the last two.

    Attributes:
        added: files that the catalog does not know.
        changed: files whose stamp is another one, or that were written to, failed ones among them. Where their
            content is what it was, they are sound and unchanged after all.
        restamped: photos that are as they were, of whose stamp more is known now.
        to_embed: sound, unchanged photos that lack the model's embedding.
        to_describe: sound, unchanged, embedded photos whose sidecar is not the one that was read with them.
        missing: photos whose file is not there.
        unreachable: photos of which that cannot be told: they lie below folders that could not be read.
        vanished: photos whose file or folder went while it was looked at; they may have moved, and are not gone yet.
        found_again: photos that were missing and are there, whatever else is true of them.
        left: changed files that are passed over for now, since they are still being written.
        arrived: ids of photos that were moved here, with the path in the root where the last look found the same file,
            None where it found none.
        unchanged: how many sound photos are as they were, with an embedding.
        unchanged_failed: how many failed ones are as they were; they are not tried again.
    """

    added: list[FoundFile] = field(default_factory=list)
    changed: list[ChangedFile] = field(default_factory=list)
    restamped: list[Restamp] = field(default_factory=list)
    to_embed: list[ChangedFile] = field(default_factory=list)
    to_describe: list[ChangedFile] = field(default_factory=list)
    missing: list[KnownPhoto] = field(default_factory=list)
    unreachable: list[KnownPhoto] = field(default_factory=list)
    vanished: list[KnownPhoto] = field(default_factory=list)
    found_again: list[KnownPhoto] = field(default_factory=list)
    left: list[ChangedFile] = field(default_factory=list)
    arrived: dict[int, str | None] = field(default_factory=dict)
    unchanged: int = 0
    unchanged_failed: int = 0

    def back_as_they_were(self) -> list[KnownPhoto]:
        """Give the photos that were missing whose very files are there again: what they lie on was away.

        Nobody can date back when a file was last changed in any way: one that was written again, by a backup, say, or
        renamed, out of a bin, has another time than it had, whatever its size and its time of modification.
        """
        other = {*self.replaced()}
        return [photo for photo in self.found_again if photo.ctime_ns is not None and photo.id not in other]

    def replaced(self) -> list[int]:
        """Give the ids of photos under whose paths lie other files than theirs, or files that something happened to."""
        return [known.id for file, known in (*self.changed, *self.left) if _moments(known) != _moments(file)]


def _moments(file: KnownPhoto | FoundFile) -> tuple[int, int, int | None]:
    return file.size, file.mtime_ns, file.ctime_ns


def compare(known: Mapping[str, KnownPhoto], scan: Scan, written: Collection[str] = ()) -> Changes:
    """Compare; where the scan as a whole had a problem, nothing is missing.

    Args:
        known: what the catalog has, by path.
        scan: what lies there.
        written: files that were written to, whatever their stamps say.
    """
    changes, touched = Changes(), list[ChangedFile]()
    for path, file in scan.files.items():
        photo = known.get(path)
        if photo is None:
            changes.added.append(file)
            continue
        if photo.missing:
            changes.found_again.append(photo)
        _, size, mtime_ns, beside, ctime_ns, inode = file
        if photo.size != size or photo.mtime_ns != mtime_ns or (written and path in written):
            changes.changed.append(ChangedFile(file, photo))
        elif photo.ctime_ns != ctime_ns or photo.inode != inode:
            touched.append(ChangedFile(file, photo))
        elif photo.embedded and photo.sidecar == beside and photo.state == "ok" and not written:
            changes.unchanged += 1  # nearly all: a call for each of them would cost as much as the rest
        else:
            _sort(changes, file, photo, written)
    if touched:
        _judge(changes, touched, known, scan, written)
    if scan.problem is None:
        _note_absences(known, scan, changes)
    return changes


def _sort(changes: Changes, file: FoundFile, photo: KnownPhoto, written: Collection[str]) -> None:
    """Say what is left to do for a photo whose file is as it was."""
    widens = photo.sidecar != file.sidecar and sidecar.widens(photo.sidecar, file.sidecar)
    beside_same = (widens or photo.sidecar == file.sidecar) and not (written and _beside(file) in written)
    if widens or photo.ctime_ns != file.ctime_ns or photo.inode != file.inode:
        beside = file.sidecar if widens else photo.sidecar
        changes.restamped.append(Restamp(photo.id, file.ctime_ns, file.inode, beside))
    if photo.state == "failed":
        changes.unchanged_failed += 1
    elif not photo.embedded:
        changes.to_embed.append(ChangedFile(file, photo))
    elif not beside_same:
        changes.to_describe.append(ChangedFile(file, photo))
    else:
        changes.unchanged += 1


def _judge(
    changes: Changes,
    touched: Sequence[ChangedFile],
    known: Mapping[str, KnownPhoto],
    scan: Scan,
    written: Collection[str],
) -> None:
    """Tell files of which only the time of the last change of anything, or the number, is another one.

    Anything may have happened to them. Not so where the catalog knows neither, since an older picsift indexed them, nor
    where all files of a folder have other numbers and nothing else: some file systems number anew at every mount.
    """
    renumbered = _renumbered(touched, known, scan)
    for change in touched:
        file, photo = change
        older = photo.ctime_ns is None
        if (older and photo.state == "ok") or (photo.ctime_ns == file.ctime_ns and _folder(file.path) in renumbered):
            _sort(changes, file, photo, written)
        else:
            changes.changed.append(change)


def _renumbered(touched: Sequence[ChangedFile], known: Mapping[str, KnownPhoto], scan: Scan) -> set[str]:
    """The folders of which every known file has another number, and the times that it had."""
    others = Counter(_folder(file.path) for file, photo in touched if photo.ctime_ns == file.ctime_ns)
    if not others:
        return set()
    all_of = Counter(folder for path in scan.files if (folder := _folder(path)) in others and path in known)
    return {folder for folder, count in others.items() if count == all_of[folder] >= RENUMBERED}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _beside(file: FoundFile) -> str:
    """The path of a file's sidecar."""
    folder = _folder(file.path)
    return (folder and f"{folder}/") + sidecar.name_in(file.sidecar) if file.sidecar else ""


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
