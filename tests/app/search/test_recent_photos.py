"""Photos that were looked up are remembered as long as nothing in the catalog has changed."""

import pytest

from app.search.recent_photos import REMEMBERED, RecentPhotos


class Counting:
    """A catalog that counts what it is asked for; a photo is its number and the version it was read in."""

    def __init__(self):
        self.number, self.asked = 0, []

    def version(self):
        return self.number

    def photos(self, ids):
        self.asked.append(list(ids))
        return [Photo(number, self.number) for number in ids if number < 1_000_000]

    def contents(self, ids):
        self.asked.append(list(ids))
        return {number: f"{number} {self.number}" for number in ids if number < 1_000_000}


class Photo:
    def __init__(self, number, version):
        self.id, self.version = number, version


@pytest.fixture
def catalog():
    return Counting()


def test_only_what_is_new_is_asked_for(catalog):
    photos = RecentPhotos(catalog)
    assert [photo.id for photo in photos([3, 1, 2])] == [3, 1, 2]
    assert [photo.id for photo in photos([2, 4, 3])] == [2, 4, 3]
    assert catalog.asked == [[3, 1, 2], [4]]
    assert photos([]) == [] and len(catalog.asked) == 2


def test_any_change_makes_them_be_read_again(catalog):
    photos = RecentPhotos(catalog)
    photos([1, 2])
    catalog.number = 1
    assert [photo.version for photo in photos([1, 2])] == [1, 1]


def test_what_is_unknown_is_left_out_and_asked_for_again(catalog):
    photos = RecentPhotos(catalog)
    assert [photo.id for photo in photos([1, 1_000_001])] == [1]
    assert [photo.id for photo in photos([1_000_001, 1])] == [1]
    assert catalog.asked[-1] == [1_000_001]


def test_a_change_while_they_are_read_is_not_missed(catalog):
    photos = RecentPhotos(catalog)
    read = catalog.photos

    def changed(ids):
        found = read(ids)
        catalog.number += 1
        return found

    catalog.photos = changed
    photos([1])
    catalog.photos = read
    assert photos([1])[0].version == 1


def test_it_forgets_those_that_were_not_asked_for_longest(catalog):
    photos = RecentPhotos(catalog)
    photos(range(REMEMBERED))
    photos([0])
    photos([REMEMBERED])
    catalog.asked.clear()
    photos([0, 1])
    assert catalog.asked == [[1]]


def test_contents_are_remembered_too_also_that_there_is_none(catalog):
    photos = RecentPhotos(catalog)
    assert photos.contents([1, 1_000_001]) == {1: "1 0", 1_000_001: None}
    assert photos.contents([1_000_001, 2, 1]) == {1: "1 0", 2: "2 0", 1_000_001: None}
    assert catalog.asked == [[1, 1_000_001], [2]]
    catalog.number = 1
    assert photos.contents([1]) == {1: "1 1"}
