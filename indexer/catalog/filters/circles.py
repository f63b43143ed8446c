"""Which positions lie within a `near:` filter's circle. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexer.catalog.photo_filter import Near

EARTH_KM = 6371.0088  # mean radius
_Degrees = NDArray[np.float64]


def band(circle: Near) -> tuple[float, float]:
    """The latitudes in degrees that a circle reaches between."""
    margin = float(np.degrees(circle.km / EARTH_KM))
    return circle.latitude - margin, circle.latitude + margin


def within(latitude: _Degrees, longitude: _Degrees, circle: Near) -> NDArray[np.bool_]:
    """Which positions (n,) in degrees lie in the circle.

    By the haversine formula, on a sphere (Sinnott 1984, Sky and Telescope 68:159).
    """
    north, east = np.radians(latitude), np.radians(longitude)
    at, along = np.radians((circle.latitude, circle.longitude))
    chord = np.sin((north - at) / 2) ** 2 + np.cos(north) * np.cos(at) * np.sin((east - along) / 2) ** 2
    km = 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))
    inside: NDArray[np.bool_] = km <= circle.km
    return inside
