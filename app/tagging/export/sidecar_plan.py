"""What an export would write beside each photo: which XMP file, with which bytes. It reads, and writes nothing."""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from app.tagging.export import own_writes
from app.tagging.export.wishes import Wish, wish
from app.tagging.xmp.merge import SidecarError, described, merged
from indexer.catalog.records import PhotoRecord
from indexer.catalog.tag_records import PhotoTag, TagPath
from indexer.library import Library
from indexer.metadata.sidecar import SUFFIX, names_picture, packet_beside, shared_stems, sidecar_name
from indexer.metadata.xmp import MAX_BYTES

Completed = Literal["XMP", "IPTC"]


class Naming(StrEnum):
    """How a new sidecar of photo.jpg is called."""

    auto = "auto"
    full = "photo.jpg.xmp"
    short = "photo.xmp"


@dataclass(frozen=True)
class Planned:
    """One file that an export would write.

    Attributes:
        photo: whose tags it holds.
        path: of the sidecar.
        before: its bytes now, None where there is none.
        after: its bytes then.
        added: tags that it does not hold yet.
        removed: tags that an export added, and that the photo has no more.
        mode: its permissions now, None where there is none.
        mtime_ns: its time now.
        words: what it says beside tags only now: of "rating", "title" and "description" those that it is told.
    """

    photo: PhotoRecord
    path: Path
    before: bytes | None
    after: bytes
    added: tuple[TagPath, ...]
    removed: tuple[TagPath, ...]
    mode: int | None
    mtime_ns: int | None
    words: tuple[str, ...] = ()

    @property
    def new(self) -> bool:
        """Whether the file is not there yet."""
        return self.before is None

    @property
    def completed(self) -> tuple[Completed, ...]:
        """("XMP",) where it says nothing new, and is changed since one of its lists lacks what another has."""
        return () if self.added or self.removed or self.words else ("XMP",)


@dataclass(frozen=True)
class Refused:
    """A photo whose tags cannot be written, and why; they stay in the catalog."""

    photo: PhotoRecord
    path: Path
    reason: str


@dataclass(frozen=True)
class Unchanged:
    """A photo whose sidecar holds everything already."""

    photo: PhotoRecord
    path: Path


Outcome = Planned | Refused | Unchanged


class Beside(NamedTuple):
    """What lies in a folder: the names of sidecars, by the same in lower case, and stems that several pictures have."""

    sidecars: Mapping[str, str]
    shared: frozenset[str]


class Stamp(NamedTuple):
    """Which folder it is, and when it changed: copies and restores set the one time back, and the other tells."""

    device: int
    inode: int
    mtime_ns: int
    ctime_ns: int


def stamp_of(folder: Path) -> Stamp:
    """The stamp of a folder now. OSError where it cannot be seen."""
    status = folder.stat()
    return Stamp(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)


class Folders:
    """What lies in the folders of photos; of the last KEPT what was read, for as long as nothing changes there.

    A folder of a million photos is asked about two thousand times, 500 of them at once, and takes a second to read.
    """

    KEPT = 16
    SETTLED_NS = 2_000_000_000  # a change within the tick of a folder's times, two seconds on FAT, does not move them

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Stamp | None, Beside]] = {}

    def beside(self, folder: Path) -> Beside:
        """What lies in a folder. OSError where it cannot be read."""
        stamp = stamp_of(folder)
        known = self._known.pop(folder, None)
        if known is None or known[0] != stamp:
            began, names = time.time_ns(), os.listdir(folder)  # noqa: PTH208
            sidecars = {name.lower(): name for name in names if name.lower().endswith(SUFFIX)}
            settled = began - max(stamp.mtime_ns, stamp.ctime_ns) > self.SETTLED_NS
            known = stamp if settled else None, Beside(sidecars, shared_stems(names))
        self._known[folder] = known  # the last one asked about stands last
        for other in list(self._known)[: -self.KEPT]:
            self._known.pop(other, None)
        return known[1]


def habit(library: Library) -> Naming:
    """What most sidecars of the library are called; `photo.jpg.xmp` where it has none."""
    kinds = library.catalog.exports.sidecar_kinds()
    return Naming.short if kinds["short"] > kinds["full"] else Naming.full


def plan(
    library: Library,
    photos: Sequence[PhotoRecord],
    tags: Mapping[int, Sequence[PhotoTag]],
    naming: Naming,
    folders: Folders,
) -> Iterator[Outcome]:
    """What becomes of each photo's sidecar.

    Args:
        library: whose journal says which tags earlier exports wrote.
        photos: those that have tags, or had.
        tags: what each has, in every state.
        naming: of new sidecars, not `auto`.
        folders: in which they lie.
    """
    edits = library.catalog.tags.edits([photo.id for photo in photos])
    beside = cache(folders.beside)  # once for all of these photos, whatever becomes of a folder meanwhile
    places = [(photo, _place(photo, beside, naming)) for photo in photos]
    shared = Counter(path for _, path in places if isinstance(path, Path))
    for number, (photo, path) in enumerate(places):
        if isinstance(path, Path) and shared[path] > 1 and photo.path.with_name(path.stem).suffix == "":
            places[number] = (photo, photo.path.with_name(photo.path.name + SUFFIX))
    sidecars = {photo.id: path for photo, path in places if isinstance(path, Path)}
    earlier = own_writes.beside(library, sidecars)
    for photo, path in places:
        if isinstance(path, str):
            yield Refused(photo, photo.path.parent, path)
            continue
        said = wish(tags.get(photo.id, ()), earlier.get(photo.id, ()), edits.get(photo.id, {}))
        if said:
            yield _outcome(photo, path, said)


def _outcome(photo: PhotoRecord, path: Path, said: Wish) -> Outcome:
    try:
        before, mode, mtime_ns = _read(path)
        was = described(before) if before is not None else None
        held = set(was.tags) if was else set()
        after = merged(before, said.wanted())
        words = said.changed(was, described(after)) if said.words and after != before else ()
    except SidecarError as error:
        return Refused(photo, path, str(error))
    except OSError as error:
        return Refused(photo, path, f"it cannot be read: {error.strerror}.")
    if before == after:
        return Unchanged(photo, path)
    if reason := unwritable(path, exists=before is not None):
        return Refused(photo, path, reason)
    added = tuple(tag for tag in said.accepted if tag not in held)
    removed = tuple(tag for tag in said.gone if tag in held)
    return Planned(photo, path, before, after, added, removed, mode, mtime_ns, words)


def _place(photo: PhotoRecord, look: Callable[[Path], Beside], naming: Naming) -> Path | str:
    """The sidecar of a photo: the one that it has, else a new one; a sentence where there can be none."""
    if photo.missing_since is not None:
        return "the photo is not reachable now."
    try:
        beside, shared = look(photo.path.parent)
    except OSError as error:
        return f"its folder cannot be read: {error.strerror}."
    if found := sidecar_name(photo.path.name, beside):
        if not _is_foreign(photo.path, found):
            return photo.path.with_name(found)
        if found.lower() == f"{photo.path.name}{SUFFIX}".lower():
            return f"{found} says that it is another file's. Move it away and export again."
        naming = Naming.full  # the short name is taken by the sidecar of the RAW beside it
    stem = photo.path.stem
    alone = stem.lower() not in shared  # else what is said of this one would be said of the others, too
    name = stem if naming is Naming.short and alone and not names_picture(stem) else photo.path.name
    return photo.path.with_name(name + SUFFIX)


def _is_foreign(photo: Path, name: str) -> bool:
    try:
        return packet_beside(photo, name) is None
    except (OSError, ValueError):
        return False  # what is wrong with it is told when it is read to be written


def _read(path: Path) -> tuple[bytes | None, int | None, int | None]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None, None, None
    if not stat.S_ISREG(status.st_mode):
        raise SidecarError("it is no ordinary file. Move it away.")
    if status.st_size > MAX_BYTES:
        raise SidecarError(f"it has {status.st_size:,} bytes; a sidecar may have {MAX_BYTES:,}. Look at it by hand.")
    return path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_mtime_ns


def unwritable(path: Path, *, exists: bool) -> str | None:
    """Why a file cannot be written, before anything is; None where it can."""
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"the folder {path.parent} is read-only. The tags stay in the library."
    if exists and not os.access(path, os.W_OK):
        return "the file is read-only. The tags stay in the library."
    return None
