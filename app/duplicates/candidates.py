"""Photos as they are compared with one another, and which of those that are alike is the best. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from math import log2
from typing import TYPE_CHECKING

from app.duplicates.perceptual_hash import Look

if TYPE_CHECKING:
    from indexer.catalog.records import PhotoRecord

BURST_S = 10.0  # from the best one of a burst, before and after
_NO_SHUTTER = frozenset(("file", "modified", None))  # sources of a date that say when a file was written
_DAY_ALONE = frozenset((time(0), time(12)))  # what stands where a day is all that is known
_RAW_COUNTS = 1.25  # a RAW's pixels: of a developed copy that is as large it is still the better
_SAME_SHARPNESS = 0.5  # powers of two: sharpness that differs by less than 40 % says nothing
_LOSSLESS = frozenset(("TIFF", "PNG", "PSD", "BMP", "PPM", "TGA"))
_MODERN = frozenset(("HEIF", "HEIC", "AVIF", "JXL"))  # what cameras write, and better at the same size in bytes


@dataclass(frozen=True, slots=True)
class Candidate:
    """One photo of those that are compared: the least of it, since there may be a million.

    `taken_s` is the instant at which the shutter opened, in seconds, None where that is not known to the second, and
    `clock_s` what the camera's clock showed then, where that is all that is known: its offset from UTC is not.
    `look` is None where there is no thumbnail.
    """

    id: int
    content: str
    path: str
    pixels: int
    size: int
    format: str
    reachable: bool
    taken_s: float | None = None
    clock_s: float | None = None
    camera: str = ""
    duration_s: float | None = None
    look: Look | None = None


def candidate(photo: PhotoRecord, look: Look | None = None) -> Candidate:
    """A photo of the catalog as it is compared."""
    return Candidate(
        id=photo.id,
        content=photo.content_hash or f"photo {photo.id}",
        path=str(photo.path),
        pixels=(photo.width or 0) * (photo.height or 0),
        size=photo.size,
        format=(photo.format or "").upper(),
        reachable=photo.missing_since is None,
        taken_s=(taken_s := _shutter(photo)),
        clock_s=None if taken_s is None or photo.taken_offset_min is not None else _clock(photo.taken_at),
        camera=f"{photo.camera_make or ''} {photo.camera_model or ''}".strip(),
        duration_s=photo.duration_s,
        look=look,
    )


Rank = tuple[object, ...]


def rank(one: Candidate) -> Rank:
    """What puts the best of copies first: it can be reached, has the most pixels, is of a good format, large.

    Sharpness says little here, since the traces of a strong compression count as edges. Of those that are equal in all
    this it is the one with the shortest name, so that no 'copy' and no '(1)' is the best.
    """
    return (*_largest(one), _worse(one.format), -one.size, -_sharp(one), *_name(one))


def burst_rank(one: Candidate) -> Rank:
    """The same of a burst, whose shots are of one camera and differ in how sharp they are."""
    return (*_largest(one), -_sharp(one), _worse(one.format), -one.size, *_name(one))


def _largest(one: Candidate) -> Rank:
    return not one.reachable, -one.pixels * (_RAW_COUNTS if one.format == "RAW" else 1)


def _sharp(one: Candidate) -> int:
    return round(log2(max(one.look.sharpness, 1e-6)) / _SAME_SHARPNESS) if one.look else -1_000


def _name(one: Candidate) -> Rank:
    return len(one.path.rpartition("/")[2]), one.path


def burst_apart(one: Candidate, other: Candidate) -> float | None:
    """How many seconds lie between two shots of one burst; None where they cannot be of one, or are one shot."""
    if one.taken_s is None or other.taken_s is None or one.duration_s is not None or other.duration_s is not None:
        return None
    if one.camera and other.camera and one.camera != other.camera:
        return None
    apart = abs(one.taken_s - other.taken_s)
    if one.clock_s is not None and other.clock_s is not None:  # all of an hour that clocks skip is one instant
        apart = apart or abs(one.clock_s - other.clock_s)
    return apart if apart <= BURST_S else None


def fraction(one: Candidate) -> float:
    """The fraction of the second at which the shutter opened; 0 where none is told."""
    return ((one.taken_s or 0) if one.clock_s is None else one.clock_s) % 1


def same_length(one: Candidate, other: Candidate) -> bool:
    """Whether both are photos, or both videos that last as long, to within a second or 2 %."""
    if one.duration_s is None or other.duration_s is None:
        return one.duration_s is other.duration_s
    return abs(one.duration_s - other.duration_s) <= max(1.0, 0.02 * one.duration_s)


def _shutter(photo: PhotoRecord) -> float | None:
    at, instant_us = photo.taken_at, photo.taken_instant_us
    if at is None or photo.taken_precision or photo.taken_source in _NO_SHUTTER or at.time() in _DAY_ALONE:
        return None
    return None if instant_us is None else instant_us / 1_000_000


def _clock(at: datetime | None) -> float | None:
    return None if at is None else (at - datetime.min) / timedelta(seconds=1)


def _worse(format: str) -> int:
    """How much a format promises of a picture of the same size: 0 the most."""
    if format == "RAW":
        return 0
    if format in _LOSSLESS:
        return 1
    return 2 if format in _MODERN else 4 if format == "GIF" else 3
