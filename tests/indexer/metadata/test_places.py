"""Names for positions, from the table of places."""

import re
import subprocess
import sys

import numpy as np
import pytest

from indexer.metadata import places
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.metadata.places import Place, place_of, placed


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ((48.8584, 2.2945), Place("Paris", "Île-de-France", "France")),  # a suburb's centre is nearer
        ((38.7139, -9.1334), Place("Lisbon", "Lisbon", "Portugal")),
        ((40.7580, -73.9855), Place("New York City", "New York", "United States")),
        ((-33.8568, 151.2153), Place("Sydney", "New South Wales", "Australia")),
        ((43.7384, 7.4246), Place("Monaco", "Municipality of Monaco", "Monaco")),
        ((0.0, -150.0), Place()),
        ((-90.0, 0.0), Place()),
        ((90.0, 180.0), Place()),
    ],
)
def test_the_city_around_a_position(position, expected):
    assert place_of(*position) == expected


def test_the_date_line_is_no_border():
    assert place_of(-16.8, 179.99).country == place_of(-16.8, -179.99).country == "Fiji"


def test_far_from_every_city_there_is_a_country_still(monkeypatch):
    desert = (43.6, 102.0)
    assert place_of(*desert).country == "Mongolia"
    monkeypatch.setattr(places, "CITY_KM", 1.0)
    assert (place_of(*desert).city, place_of(*desert).country) == ("", "Mongolia")
    monkeypatch.setattr(places, "COUNTRY_KM", 1.0)
    assert place_of(*desert) == Place()


def test_what_a_file_names_itself_stands():
    at = {"latitude": 48.8584, "longitude": 2.2945}
    assert placed(PhotoMetadata(**at)) == PhotoMetadata(**at, city="Paris", region="Île-de-France", country="France")
    named = PhotoMetadata(**at, city="Eiffel Tower")
    assert placed(named) == named
    assert placed(PhotoMetadata()) == PhotoMetadata()


def test_the_table_holds_what_its_readme_says():
    known = places._gazetteer()
    said = re.search(r"names ([\d,]+) places", places.FILE.with_name("README.md").read_text())
    assert len(known.places) == len(known.radii_km) == int(said[1].replace(",", ""))
    assert (np.diff(known.latitudes) >= 0).all()
    assert abs(np.linalg.norm(known.vectors, axis=1) - 1).max() < 1e-5
    assert all(place.city and place.country for place in known.places)
    assert known.radii_km.min() >= 0 and known.radii_km.max() == pytest.approx(28, abs=3)  # Shanghai


def test_nothing_is_loaded_before_the_first_position_and_little_then():
    code = (
        "import sys, indexer.metadata.places as p; assert not p._gazetteer.cache_info().currsize; "
        "p.place_of(48.9, 2.3); "
        "print([name for name in ('scipy', 'pandas', 'urllib.request') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
