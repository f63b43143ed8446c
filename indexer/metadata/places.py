"""Names for positions, offline: the city that reaches nearest, its region and its country, out of GeoNames.

They stand in `data/places.tsv.gz` (1,000 inhabitants or more), which is loaded when the first position is asked for.
"""

from __future__ import annotations

import gzip
from array import array
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.metadata.photo_metadata import PhotoMetadata

CITY_KM = 50.0  # further than this beyond a city's edge a photo is not of that city,
COUNTRY_KM = 100.0  # and further than this from the nearest place nobody knows whose land, or water, it is
FILE = Path(__file__).parent / "data" / "places.tsv.gz"
_EARTH_KM = 6371.0
_KM_PER_DEGREE = 111.0
_LARGEST_RADIUS_KM = 30.0


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
    places, numbers = [], array("f")
    country = region = ""
    with gzip.open(FILE, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            if len(fields) == 2:
                country, region = fields
            else:
                numbers.extend(map(float, fields[:3]))
                places.append(Place(fields[3], region, country))
    table = np.frombuffer(numbers, np.float32).reshape(-1, 3)
    order = np.argsort(table[:, 0], kind="stable")
    latitudes, longitudes, people = table[order].T
    radii = np.minimum(np.sqrt(people / (np.pi * 10_000)), _LARGEST_RADIUS_KM)
    return _Gazetteer(latitudes, _vectors(latitudes, longitudes), radii, [places[number] for number in order])


def _vectors(latitudes: NDArray[Any], longitudes: NDArray[Any]) -> NDArray[np.float32]:
    """Points on the unit sphere: (n, 3)."""
    up, round_ = np.radians(latitudes), np.radians(longitudes)
    return np.stack([np.cos(up) * np.cos(round_), np.cos(up) * np.sin(round_), np.sin(up)], axis=1).astype(np.float32)
