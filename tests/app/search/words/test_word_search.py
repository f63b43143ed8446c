"""Which photos words find, and how little is asked for that."""

import numpy as np

from app.search.query import Query
from app.search.words.word_search import worded
from indexer.catalog.columns.photo_set import PhotoSet

THERE = PhotoSet.of(np.array([1, 2]))  # in the index


class Words:
    """A catalog whose photo 2 alone says everything."""

    def __init__(self):
        self.named = []

    def photos_saying(self, phrases):
        return np.array([2]), np.array([], dtype=np.int64)

    def file_names(self, photo_ids):
        self.named.append(photo_ids)
        return {}


def test_names_are_looked_up_of_photos_that_were_found_alone():
    words, query = Words(), Query(text="a dog")
    assert worded(words, query, PhotoSet.of(np.array([1])), THERE) is None
    assert words.named == []
    assert worded(words, query, PhotoSet.of(np.array([1, 2])), THERE).ids.tolist() == [2]
    assert words.named == [[2]]


def test_what_is_not_in_the_index_yet_is_not_found():
    assert worded(Words(), Query(text="a dog"), PhotoSet.of(np.array([1, 2])), PhotoSet.of(np.array([1]))) is None
