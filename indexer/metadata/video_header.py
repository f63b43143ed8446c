"""What a video's header says, as the metadata of a photo: date, position, camera, words. Pure.

The names are those that FFmpeg gives to the boxes of MP4 and QuickTime and to the tags of other containers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from indexer.metadata.dates import Taken, first_sound, read_date
from indexer.metadata.photo_metadata import PhotoMetadata, shot
from indexer.metadata.values import MAX_ALTITUDE_M, line, paragraph

_APPLE = "com.apple.quicktime."
_POSITION = re.compile(r"([+-]\d{2}(?:\.\d+)?)([+-]\d{3}(?:\.\d+)?)([+-]\d+(?:\.\d+)?)?", re.ASCII)
"""ISO 6709 in degrees, as phones write it: +52.5200+013.4050+034.000/"""
_YEAR = re.compile(r"\d{4}", re.ASCII)
_COMPACT = re.compile(r"^(\d{4})(\d\d)(\d\d)(?!\d)", re.ASCII)


def text_errors(version: str) -> dict[str, Any]:
    """What else `av.open` of a version of PyAV takes so that text that is no UTF-8 comes with surrogates for its bytes.

    From 19 on it comes so by itself.
    """
    return {"metadata_errors": "surrogateescape"} if int(version.partition(".")[0]) < 19 else {}


def read_header(header: Mapping[str, str]) -> PhotoMetadata:
    """What the header says; what is not sound in it is left out."""
    low = {key.lower(): value for key, value in header.items()}
    latitude, longitude, altitude = _position(low)
    make = line(_first(low, f"{_APPLE}make", "make", "com.android.manufacturer"))
    model = line(_first(low, f"{_APPLE}model", "model", "com.android.model"))
    return replace(
        shot(first_sound(_dates(low)), (latitude, longitude), altitude, make, model),
        title=line(_first(low, f"{_APPLE}title", "title")),
        description=paragraph(_first(low, f"{_APPLE}description", "description", "synopsis", "comment")),
    )


def _dates(header: Mapping[str, str]) -> Iterator[Taken]:
    """The clock of the place first: Apple's, then that of old cameras; the header's own is UTC's."""
    for key in (f"{_APPLE}creationdate", "date-eng", "date", "date_recorded"):
        text = header.get(key, "").strip()
        if not _YEAR.fullmatch(text):  # that is the year of a film
            yield read_date(_COMPACT.sub(r"\1-\2-\3", text), source="original")
    taken = read_date(header.get("creation_time", ""), source="container")
    yield taken if taken.precision else taken._replace(offset_min=taken.offset_min or 0)


def _position(header: Mapping[str, str]) -> tuple[float | None, float | None, float | None]:
    written = _first(header, f"{_APPLE}location.iso6709", "location", "location-eng")
    found = _POSITION.match(written.strip()) if written else None
    if found is None:
        return None, None, None
    latitude, longitude = float(found[1]), float(found[2])
    if abs(latitude) > 90 or abs(longitude) > 180 or (latitude == 0 and longitude == 0):
        return None, None, None
    altitude = float(found[3]) if found[3] else None
    return latitude, longitude, None if altitude is None or abs(altitude) > MAX_ALTITUDE_M else altitude


def _first(header: Mapping[str, str], *keys: str) -> str | None:
    return next((header[key] for key in keys if header.get(key, "").strip()), None)
