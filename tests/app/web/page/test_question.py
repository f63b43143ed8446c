"""What a browser sends as marks, and what counts as asked."""

import pytest

from app.web.page.question import Question


@pytest.mark.parametrize(
    ("sent", "numbers"), [("3,12", (3, 12)), ("", ()), ("3,,x,-1,3,1e5", (3,)), (f"{10**30},7", (7,)), ([3], ())]
)
def test_marks_are_ids_and_nothing_else(sent, numbers):
    question = Question.of({"q": "a", "right": sent, "wrong": sent})
    assert question.marked("right") == question.marked("wrong") == numbers


def test_how_answers_are_listed_is_no_question():
    assert not Question(least="0.3", right="1", wrong="2", diverse="yes", copies="all")
    assert Question(q="a")


@pytest.mark.parametrize(("sent", "least"), [("0.3", 0.3), ("nearest", 0), ("0", 0), ("", 0.5), ("2", 0.5)])
def test_a_match_is_as_relevant_as_was_said(sent, least):
    assert Question(least=sent).least_relevance(0.5) == least


def test_a_view_that_there_is_not_is_not_asked_for():
    assert Question.of({"show": "duplicates"}).show == "duplicates"
    assert not Question.of({"show": "groups"})
