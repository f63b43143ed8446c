"""The parts of a question as chips: each leads to the question without it."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.web.page.chips import chips
from app.web.page.question import Question
from tests.app.web.page.test_gallery import HOSTILE, photo


class Chips(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.rest, self.tags, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if "data-ask" in dict(attrs):
            self.rest.append(Question.of(json.loads(dict(attrs)["data-ask"])))

    def handle_data(self, data):
        self.text += data


def test_each_part_can_be_left_out():
    question = Question(q="dogs -people camera:canon", after="2021", place="Lisbon", picture="token")
    shown = Chips(chips(question))
    assert shown.text == "dogs×-people×camera:canon×after:2021×place:Lisbon×"
    assert [one.q for one in shown.rest[:3]] == ["-people camera:canon", "dogs camera:canon", "dogs -people"]
    assert shown.rest[3] == Question(q=question.q, place="Lisbon", picture="token")
    assert shown.rest[4] == Question(q=question.q, after="2021", picture="token")


def test_fields_beside_words_that_are_not_understood_are_there_all_the_same():
    assert Chips(chips(Question(q="camra:x", folder="Trip", after="nonsense"))).text == "after:nonsense×folder:Trip×"
    assert chips(Question()) == chips(Question(picture="token")) == ""


def test_a_picture_that_cannot_be_shown_can_be_left_out_all_the_same():
    shown = Chips(chips(Question(q="red", picture="gone"), picture=True))
    assert (shown.text, shown.rest[1]) == ("red×your picture×", Question(q="red"))
    assert Chips(chips(Question(like="999"), picture=True)).rest == [Question()]


@pytest.mark.parametrize("name", ["q", "folder"])
def test_no_words_become_markup(name):
    hostile = '"><script>alert(1)</script>\u202e&amp;'
    shown = Chips(chips(Question(**{name: hostile, "place": "Lisbon"})))
    assert set(shown.tags) == {"ul", "li", "button", "span"}
    assert "<script>" in shown.text and "\u202e" not in shown.text
    assert getattr(shown.rest[-1], name) in (hostile, hostile.replace('"', "“"), f"“{hostile}”")


def test_marks_can_be_taken_back_one_by_one():
    question = Question(q="jaguar", right="7,8", wrong="9")
    marked = [("right", photo(id=7)), ("right", photo(id=8)), ("wrong", photo(id=9))]
    shown = Chips(chips(question, marked))
    assert shown.text == "jaguar×right×right×wrong×"
    left = [(one.right, one.wrong) for one in shown.rest[1:]]
    assert left == [("8", "9"), ("7", "9"), ("7,8", "")]


def test_marks_on_photos_that_are_gone_can_be_taken_back_together():
    question = Question(q="jaguar", right="7,8", wrong="9")
    shown = Chips(chips(question, [("right", photo(id=8))]))
    assert shown.text == "jaguar×right×marks on photos that are gone×"
    assert shown.rest[-1] == replace(question, right="8", wrong="")


def test_no_marked_name_becomes_markup():
    hostile = photo(id=7, path=Path("/photos") / HOSTILE.replace("/", ":"))
    shown = Chips(chips(Question(q="a", wrong="7"), [("wrong", hostile)]))
    assert set(shown.tags) == {"ul", "li", "button", "span", "img"}
