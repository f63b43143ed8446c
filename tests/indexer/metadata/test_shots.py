"""What two files say of their shots, compared."""

from datetime import datetime

import pytest

from indexer.metadata.dates import Taken
from indexer.metadata.shots import Shot, agree

NOON = datetime(2021, 7, 4, 12, 0, 5)


def at(*moment, offset=None, source="original", precision=None, make=None, model=None):
    return Shot(Taken(datetime(*moment) if moment else None, offset, source, precision), make, model)


SAME = [
    (at(), at(), "neither says anything"),
    (at(2021, 7, 4, 12, 0, 5), at(), "one says nothing"),
    (at(2021, 7, 4, 12, 0, 5), at(2021, 7, 4, 12, 0, 5, 250_000), "a fraction in one alone"),
    (at(2021, 7, 4, 12, 0, 5, 200_000), at(2021, 7, 4, 12, 0, 5, 250_000), "a fraction cut short"),
    (at(2021, 7, 4, 12, 0, 5), at(2021, 7, 4, 12, 0, 5, offset=120), "a zone in one alone"),
    (at(2021, 7, 4, 12, 0, 5, offset=0), at(2021, 7, 4, 12, 0, 5, offset=120), "a zone that was set later"),
    (at(2021, 7, 4, 10, 0, 5, offset=0), at(2021, 7, 4, 12, 0, 5, offset=120), "two zones, one moment"),
    (at(2021, 7, 4, 10, 0, 5), at(2021, 7, 4, 12, 0, 5, offset=120), "UTC without saying so"),
    (at(2021, 7, 4), at(2021, 7, 4, 12, 0, 5), "a day alone"),
    (at(2021, 7, 1, precision="month"), at(2021, 7, 4, 12, 0, 5), "a month alone"),
    (at(2021, 1, 1, precision="year"), at(2021, 7, 1, precision="month"), "a year alone"),
    (at(2024, 1, 1, 9, source="modified"), at(2021, 7, 4, 12, 0, 5), "changed later"),
    (at(2019, 1, 1, 9, source="modified"), at(2021, 7, 4, source="modified"), "two changes"),
    (at(2019, 1, 1, 9, source="name"), at(2021, 7, 4, 12, 0, 5), "a name is no witness"),
    (at(2019, 1, 1, 9, source="file"), at(2021, 7, 4, 12, 0, 5), "nor is a file's time"),
    (at(model="One"), at(2021, 7, 4, 12, 0, 5), "a camera in one, a time in the other"),
    (at(make="Acme", model="One"), at(model="ACME  one"), "a make in front of the model"),
    (at(make="NIKON CORPORATION"), at(make="Nikon"), "a make with its ends"),
    (at(make="NIKON CORPORATION", model="D850"), at(make="Nikon", model="D850"), "one model"),
]
OTHER = [
    (at(2021, 7, 4, 12, 0, 5), at(2020, 7, 4, 12, 0, 5), "another year"),
    (at(2021, 7, 4, 12, 0, 5), at(2021, 7, 4, 12, 0, 6), "the next second"),
    (at(2021, 7, 4, 12, 0, 5), at(2021, 7, 4, 13, 0, 5), "another hour, no zone"),
    (at(2021, 7, 4, 12, 0, 5, offset=120), at(2021, 7, 4, 13, 0, 5, offset=120), "another hour, one zone"),
    (at(2021, 7, 4, 11, 0, 5), at(2021, 7, 4, 12, 0, 5, offset=120), "an hour that no zone explains"),
    (at(2021, 7, 4), at(2021, 7, 5, 12, 0, 5), "another day"),
    (at(2021, 8, 1, precision="month"), at(2021, 7, 4, 12, 0, 5), "another month"),
    (at(1993, 1, 1, precision="year"), at(2021, 7, 4, 12, 0, 5), "another year, nothing more"),
    (at(2019, 1, 1, 9, source="modified"), at(2021, 7, 4, 12, 0, 5), "changed before it was taken"),
    (at(2021, 7, 4, 12, 0, 5, model="One"), at(2021, 7, 4, 12, 0, 5, model="Two"), "two cameras in one second"),
    (at(make="Apple", model="iPhone 12"), at(make="Acme", model="One"), "two cameras, no time"),
    (at(make="Canon"), at(make="Nikon"), "two makes"),
]


@pytest.mark.parametrize(("one", "other", "why"), SAME, ids=[why for *_, why in SAME])
def test_one_shot(one, other, why):
    assert agree(one, other) and agree(other, one)


@pytest.mark.parametrize(("one", "other", "why"), OTHER, ids=[why for *_, why in OTHER])
def test_two_shots(one, other, why):
    assert not agree(one, other) and not agree(other, one)
