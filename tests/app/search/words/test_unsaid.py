"""What nobody says is asked of the catalog once, until it changes."""

import numpy as np
import pytest

from app.search.words import unsaid
from app.search.words.unsaid import KnownWords

DOG, CAT, SEA = ("dog",), ("cat",), ("deep", "sea")


class Counting:
    """A catalog whose photos say some phrases, all of them in photo 1, and which counts what it is asked for."""

    def __init__(self, *said):
        self.number, self.said, self.asked = 0, set(said), []
        self.words = self

    def version(self):
        return self.number

    def photos_saying(self, phrases):
        self.asked.append(tuple(phrases))
        found = np.array([1] if self.said.issuperset(phrases) else [], dtype=np.int64)
        return found, found

    def is_said(self, phrase):
        self.asked.append(phrase)
        return phrase in self.said


def found(words, *phrases):
    return [part.tolist() for part in words.photos_saying(phrases)]


def test_a_query_with_a_word_that_nobody_says_asks_nothing_the_second_time():
    catalog = Counting(DOG)
    words = KnownWords(catalog)
    assert found(words, DOG, CAT) == [[], []]
    asked = list(catalog.asked)
    assert asked == [(DOG, CAT), DOG, CAT]
    assert found(words, DOG, CAT) == found(words, SEA, CAT) == found(words, CAT) == [[], []]
    assert catalog.asked == asked


def test_what_is_said_is_found_each_time_and_asked_for_alone_once():
    catalog = Counting(DOG)
    words = KnownWords(catalog)
    found(words, DOG, CAT)
    assert found(words, DOG) == found(words, DOG) == [[1], [1]]
    assert found(words, DOG, SEA) == [[], []]
    assert catalog.asked.count(DOG) == 1 and catalog.asked.count(SEA) == 1


def test_words_that_somebody_says_but_nobody_together_are_asked_for_again():
    catalog = Counting(DOG, CAT)
    catalog.photos_saying = lambda phrases: (np.empty(0, np.int64), np.empty(0, np.int64))
    words = KnownWords(catalog)
    assert found(words, DOG, CAT) == [[], []]
    catalog.photos_saying = lambda phrases: (np.array([7]), np.array([], np.int64))
    assert found(words, DOG, CAT) == [[7], []]


def test_any_change_has_them_asked_for_again():
    catalog = Counting()
    words = KnownWords(catalog)
    assert found(words, CAT) == [[], []]
    catalog.said.add(CAT)
    catalog.number = 1
    assert found(words, CAT) == [[1], [1]]


@pytest.mark.parametrize("when", ["photos_saying", "is_said"])
def test_a_change_while_they_are_asked_for_is_not_missed(when):
    catalog = Counting()
    words = KnownWords(catalog)
    ask = getattr(catalog, when)

    def changed_meanwhile(asked):
        answer = ask(asked)
        found_by_another = KnownWords.photos_saying  # a search beside it, after the change
        catalog.said.add(CAT)
        catalog.number += 1
        setattr(catalog, when, ask)
        found_by_another(words, [SEA])
        return answer

    setattr(catalog, when, changed_meanwhile)
    assert found(words, CAT) == [[], []]
    assert found(words, CAT) == [[1], [1]]


def test_no_more_are_remembered_than_fit(monkeypatch):
    monkeypatch.setattr(unsaid, "REMEMBERED", 3)
    catalog = Counting()
    words = KnownWords(catalog)
    for number in range(9):
        found(words, (str(number),))
    assert len(words._is_said) <= 3
    assert found(words, ("8",)) == [[], []] and catalog.asked[-1] == ("8",)
