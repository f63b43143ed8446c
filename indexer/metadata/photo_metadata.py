"""What a photo's files say about it, and which of them has the last word. Pure: it reads nothing itself.

exif.py, iptc.py and xmp.py each give one PhotoMetadata; here they become one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple

from indexer.metadata.dates import RANK, Precision, Taken
from indexer.metadata.values import without_make

MAX_KEYWORDS = 500

_DATE = ("taken_at", "taken_offset_min", "taken_source", "taken_precision")
_TOGETHER = (_DATE, ("latitude", "longitude", "altitude"), ("camera_make", "camera_model"))
"""Fields that mean something only together: taken from one source, never mixed."""


class Keyword(NamedTuple):
    """A keyword and the source that names it: "sidecar", "xmp", "iptc" or "exif"."""

    text: str
    source: str


@dataclass(frozen=True)
class PhotoMetadata:
    """What a photo's files say about it.

    Attributes:
        taken_at: naive, the wall clock where it was taken; of GPS, of a video's
            container and of a Pixel's file name, UTC's.
        taken_offset_min: minutes that clock was ahead of UTC.
        taken_source: which field the date is from, a key of `dates.RANK`.
        taken_precision: "month" or "year" where no more of the date is known.
        gps_at: the moment that a receiver gave, in UTC, whether it is believed or not.
        latitude: degrees, north positive.
        longitude: degrees, east positive.
        altitude: metres above sea level.
        camera_make: without padding.
        camera_model: without the make in front, so that make and model read well together.
        lens: the lens's model.
        orientation: EXIF's 1 to 8; 1 is upright.
        exposure_s: in seconds.
        f_number: focal length over aperture.
        iso: sensitivity.
        focal_mm: of the lens.
        focal_35mm_mm: that gives the same view on 35 mm film.
        rating: 0 (none) to 5, or -1 for rejected.
        title: a line.
        description: a line, however many there were.
        city: and the next two, as the file names them, or found from the position.
        region: a state or province.
        country: in English where it was found from the position.
        keywords: without duplicates; levels of a hierarchy are parted by | or / as they were.
    """

    taken_at: datetime | None = None
    taken_offset_min: int | None = None
    taken_source: str | None = None
    taken_precision: Precision | None = None
    gps_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    lens: str | None = None
    orientation: int = 1
    exposure_s: float | None = None
    f_number: float | None = None
    iso: int | None = None
    focal_mm: float | None = None
    focal_35mm_mm: float | None = None
    rating: int | None = None
    title: str | None = None
    description: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    keywords: tuple[Keyword, ...] = ()


def shot(
    taken: Taken,
    position: tuple[float | None, float | None] = (None, None),
    altitude: float | None = None,
    make: str | None = None,
    model: str | None = None,
) -> PhotoMetadata:
    """When, where and with which camera a photo was taken; what else is known goes into a copy.

    Args:
        taken: the date that is believed.
        position: latitude and longitude in degrees.
        altitude: metres above sea level; of no use without a position.
        make: of the camera.
        model: likewise, with or without the make in front.
    """
    latitude, longitude = position
    return PhotoMetadata(
        taken_at=taken.at,
        taken_offset_min=taken.offset_min,
        taken_source=taken.source,
        taken_precision=taken.precision,
        latitude=latitude,
        longitude=longitude,
        altitude=None if latitude is None else altitude,
        camera_make=make,
        camera_model=without_make(make, model),
    )


_TECHNICAL = ("gps_at", "latitude", "camera_make", "lens", "exposure_s", "f_number", "iso", "focal_mm", "focal_35mm_mm")


def inside(exif: PhotoMetadata, iptc: PhotoMetadata, xmp: PhotoMetadata) -> PhotoMetadata:
    """What a file says: of the camera EXIF knows best, of what a person wrote XMP, then IPTC, then EXIF."""
    measured = overlay(xmp, exif)
    written = overlay(exif, iptc, xmp)
    alone = set(_TECHNICAL).union(*(group for group in _TOGETHER if set(group) & set(_TECHNICAL)))
    return replace(written, **{name: getattr(measured, name) for name in alone})


def overlay(*layers: PhotoMetadata) -> PhotoMetadata:
    """One from several, where a later layer has the last word in all that it knows.

    The date is that of the best field whichever layer has it, keywords are those of all, and the orientation, which
    belongs to the pixels, is the first layer's.
    """
    first, *others = layers
    for layer in others:
        known = {field.name: getattr(layer, field.name) for field in fields(layer)}
        taken: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
        for group in _TOGETHER:
            given = any(known[name] is not None for name in group)
            if group == _DATE:
                given = RANK.get(layer.taken_source or "", 99) <= RANK.get(first.taken_source or "", 99)
            taken = {name: value for name, value in taken.items() if name not in group}
            taken |= {name: known[name] for name in group} if given else {}
        taken["keywords"] = merged(layer.keywords + first.keywords)
        taken["orientation"] = first.orientation
        first = replace(first, **taken)
    return first


def merged(keywords: Iterable[Keyword]) -> tuple[Keyword, ...]:
    """The keywords, each once, at most MAX_KEYWORDS; upper and lower case, and | and /, are the same."""
    once: dict[str, Keyword] = {}
    for keyword in keywords:
        once.setdefault(unicodedata.normalize("NFC", keyword.text).casefold().replace("|", "/"), keyword)
    return tuple(once.values())[:MAX_KEYWORDS]
