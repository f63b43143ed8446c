"""Groups: each photo in one, by the strongest of what it is, and none led away by a chain."""

import pytest

from app.duplicates import grouping
from app.duplicates.grouping import best_first, bonds, groups
from app.duplicates.kinds import Kind
from app.duplicates.perceptual_hash import Look
from tests.app.duplicates.pictures import at_angles, photo

ALL = tuple(Kind)


def found(photos, degrees, kinds=ALL):
    """Who follows whom and as what, by ids."""
    known = bonds(photos, at_angles(*degrees), kinds)
    return {photos[at].id: (photos[to].id, kind.value) for at, (to, kind) in known.items()}


def test_copies_near_ones_and_bursts_make_one_group():
    photos = [
        photo(1, "a", bits=0, taken_s=100.0),
        photo(2, "a", bits=0, taken_s=100.0),
        photo(3, "b", bits=3),
        photo(4, "c", bits=2**40 - 1, taken_s=104.0),
        photo(5, "d", bits=2**40 - 1),
        photo(6, "e", bits=2**63),
    ]
    degrees = (0, 0, 5, 20, 20, 90)
    assert found(photos, degrees) == {2: (1, "exact"), 3: (1, "near"), 5: (4, "near"), 4: (1, "burst")}
    assert groups(bonds(photos, at_angles(*degrees), ALL)) == {0: [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([Kind.exact], {"exact"}),
        ([Kind.near], {"exact", "near"}),
        ([Kind.burst, Kind.exact], {"exact", "near", "burst"}),
    ],
)
def test_what_is_weaker_than_asked_for_is_not_looked_for(kinds, expected):
    photos = [
        photo(1, "a", bits=0, taken_s=1.5),
        photo(2, "a"),
        photo(3, bits=1),
        photo(4, bits=2**30 - 1, taken_s=3.5),
    ]
    assert {kind for _, kind in found(photos, (0, 0, 0, 0), kinds).values()} == expected


def test_two_shots_of_a_camera_are_a_burst_however_alike():
    shots = [photo(1, bits=0, taken_s=100.0), photo(2, bits=0, taken_s=103.0), photo(3, bits=0, taken_s=100.0)]
    assert found(shots, (0, 0, 0)) == {2: (1, "burst"), 3: (1, "near")}
    fractions = [photo(1, bits=0, taken_s=100.2), photo(2, bits=0, taken_s=100.4), photo(3, bits=0, taken_s=100.0)]
    assert found(fractions, (0, 0, 0)) == {2: (1, "burst"), 3: (1, "near")}  # the third lost its fraction


def test_a_burst_reaches_no_further_than_seconds_from_its_best():
    shots = [photo(at, bits=0xFFF << (12 * at), taken_s=100.0 + 8 * at) for at in range(5)]
    assert found(shots, [0] * 5, [Kind.burst]) == {1: (0, "burst"), 3: (2, "burst")}
    assert found(shots, [0, 45, 90, 135, 180]) == {}


def test_the_sharpest_leads_a_burst_and_its_copies_go_with_it():
    soft, sharp = Look(0, 100.0, 1.0), Look(2**30 - 1, 100.0, 4.0)
    shots = [photo(1, "a", look=soft, taken_s=1.5), photo(2, "a", look=soft), photo(3, look=sharp, taken_s=3.5)]
    assert found(shots, (0, 0, 0)) == {2: (1, "exact"), 1: (3, "burst")}
    assert groups(bonds(shots, at_angles(0, 0, 0), ALL)) == {2: [0, 1]}


def test_blank_pictures_are_copies_or_nothing():
    blank = Look(0, 1.0, 0.0)
    photos = [photo(1, "white", look=blank), photo(2, "black", look=blank), photo(3, "black", look=blank), photo(4)]
    assert found(photos, (0, 0, 0, 90)) == {3: (2, "exact")}


def test_a_photo_and_the_poster_of_a_video_are_two():
    assert found([photo(1, bits=0), photo(2, bits=0, duration_s=3.0)], (0, 0)) == {}


def test_the_best_lead():
    assert [one.id for one in best_first([photo(1, pixels=5), photo(2, pixels=9), photo(3, pixels=7)])] == [2, 3, 1]


@pytest.mark.parametrize(("count", "expected"), [(3, 2), (4, 0)])
def test_a_crowd_of_one_moment_is_no_burst(monkeypatch, count, expected):
    """Files that an export, or a clock that stood, gave one moment: to hold each against each would take hours."""
    monkeypatch.setattr(grouping, "MOST_AT_ONCE", 3)
    shots = [photo(number, f"content {number}", bits=2 ** (15 * number) - 1, taken_s=100.0) for number in range(count)]
    assert len(found(shots, [0] * count, [Kind.burst])) == expected
