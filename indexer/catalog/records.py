"""What the catalog hands out and takes in, as plain frozen values.

Times of the catalog's own (scans, indexing, absence) are aware and in UTC; `taken_at` is the camera's wall
clock, naive, and `taken_instant_us` its instant, for the order. No queries and no files here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from indexer.metadata.dates import Precision
    from indexer.metadata.photo_metadata import PhotoMetadata

State = Literal["ok", "failed"]


@dataclass(frozen=True)
class Root:
    """A folder that the library follows. `problem` is what the last scan found wrong with it."""

    id: int
    path: Path
    photos: int
    last_scan_at: datetime | None
    problem: str | None


class RootPath(NamedTuple):
    """A root and where it lies: what is known of it without counting photos."""

    id: int
    path: Path


class Sampled(NamedTuple):
    """Where a photo lies in its root, posix, and the stamp of its file, of which an older picsift knows less."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int | None
    inode: int | None


class FoundFile(NamedTuple):
    """A file that a scan found; `path` is relative to the root, `sidecar` the stamp of its XMP file or "".

    What `ctime_ns` and `inode` are is said in stamps.py.
    """

    path: str
    size: int
    mtime_ns: int
    sidecar: str = ""
    ctime_ns: int = 0
    inode: int = 0


class KnownPhoto(NamedTuple):
    """What a scan is compared with; a tuple, because a comparison makes one for every photo of a root.

    `path` is relative to the root, posix. `embedded` speaks of the one model that was asked about. `sidecar` is the
    stamp of the XMP file that was read with it, "" for none, None where nobody has looked; so too `ctime_ns` and
    `inode`, of a photo that an older picsift indexed.
    """

    id: int
    path: str
    size: int
    mtime_ns: int
    content_hash: str | None
    state: State
    missing: bool
    embedded: bool
    sidecar: str | None = ""
    ctime_ns: int | None = 0
    inode: int | None = 0
    missing_since: datetime | None = None


class PhotoRecord(NamedTuple):
    """Everything the catalog knows about one photo; see PhotoMetadata. A tuple: a search makes one for every hit.

    `reason` says why a failed one failed; `companions` are the other files of the same shot beside it: RAWs, and the
    video of a live photo. `duration_s` is a video's length in seconds, None for a photo; `poster_s` is when the frame
    that stands for it is shown.
    """

    id: int
    root_id: int
    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int | None
    inode: int | None
    content_hash: str | None
    state: State
    reason: str | None
    missing_since: datetime | None
    width: int | None
    height: int | None
    format: str | None
    orientation: int | None
    taken_at: datetime | None
    taken_offset_min: int | None
    taken_source: str | None
    taken_precision: Precision | None
    taken_instant_us: int | None
    latitude: float | None
    longitude: float | None
    altitude: float | None
    camera_make: str | None
    camera_model: str | None
    lens: str | None
    exposure_s: float | None
    f_number: float | None
    iso: int | None
    focal_mm: float | None
    focal_35mm_mm: float | None
    rating: int | None
    title: str | None
    description: str | None
    duration_s: float | None
    poster_s: float | None
    indexed_at: datetime
    city: str | None
    region: str | None
    country: str | None
    keywords: tuple[str, ...] = ()
    companions: tuple[Path, ...] = ()


@dataclass(frozen=True)
class NewPhoto:
    """A decoded photo to be written; `path` is relative to its root, `sidecar` the stamp of what was read beside it.

    That is None where there is a sidecar that could not be read: what the catalog knows from it then stays.

    A video has a length, in seconds, the moment of its poster, and the `moments` of its other frames.
    """

    path: str
    size: int
    mtime_ns: int
    content_hash: str
    width: int
    height: int
    format: str
    metadata: PhotoMetadata
    sidecar: str | None = ""
    duration_s: float | None = None
    poster_s: float | None = None
    moments: tuple[float, ...] = ()
    ctime_ns: int | None = None
    inode: int | None = None


@dataclass(frozen=True)
class DescribedPhoto:
    """A photo of a known picture whose metadata was read again, with the stamps that its files have now."""

    photo_id: int
    metadata: PhotoMetadata
    size: int
    mtime_ns: int
    sidecar: str | None
    ctime_ns: int | None = None
    inode: int | None = None


@dataclass(frozen=True)
class CopiedPhoto:
    """A file with the picture of photo `source_id`: it takes that photo's embeddings, undecoded.

    Its own `metadata`, where it has been read; else that of the source.
    """

    path: str
    size: int
    mtime_ns: int
    content_hash: str
    source_id: int
    metadata: PhotoMetadata | None = None
    sidecar: str | None = ""
    ctime_ns: int | None = None
    inode: int | None = None


@dataclass(frozen=True)
class FailedPhoto:
    """A file that could not be made a photo of, and why."""

    path: str
    size: int
    mtime_ns: int
    reason: str
    ctime_ns: int | None = None
    inode: int | None = None


@dataclass(frozen=True)
class Move:
    """A photo that now lies at `path` under `root_id`; its embeddings go with it.

    `renamed` says that its file has another name, in which a date may stand: what is said of it has to be read again.
    """

    photo_id: int
    root_id: int
    path: str
    size: int
    mtime_ns: int
    renamed: bool = False
    ctime_ns: int | None = None
    inode: int | None = None


@dataclass(frozen=True)
class ModelRecord:
    """A model that the library holds embeddings of; `fingerprint` is what identifies it."""

    id: int
    name: str
    fingerprint: str
    dim: int


class StoredModel(NamedTuple):
    """A model with what the library holds of it: vectors of photos, and of other frames of videos, and their bytes."""

    model: ModelRecord
    active: bool
    photos: int
    frames: int
    bytes: int


@dataclass(frozen=True)
class Counts:
    """How many photos are searchable, failed, and absent from their folder (these are among the other two)."""

    photos: int
    failed: int
    missing: int
