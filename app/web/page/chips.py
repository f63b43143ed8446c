"""The parts of a question as chips above the pictures; each leads to the question without it. Pure."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, replace

from app.search.language.parsing import parse
from app.search.language.printing import parts, written
from app.web.page.markup import safe
from app.web.page.question import Question
from indexer.errors import QueryError

BESIDE = ("after", "before", "folder", "place")  # fields that are filters of the same name


def chips(question: Question, *, picture: bool = False) -> str:
    """All parts of the question, as HTML; "" without any.

    What stands in the fields beside the words is among them, understood or not, since their panel may be closed.

    Args:
        question: what is asked.
        picture: whether the picture, or the photo whose likes are asked for, is one too: where it is not shown itself.
    """
    found = [*_of_words(question), *_of_fields(question), *(_of_pictures(question) if picture else ())]
    shown = "".join(_chip(text, rest) for text, rest in found)
    return f'<ul class="chips" aria-label="What is asked">{shown}</ul>' if shown else ""


def _of_words(question: Question) -> list[tuple[str, Question]]:
    try:
        found = parts(parse(question.q))
    except QueryError:
        return []  # the message stands below, and the words in their box
    return [(text, replace(question, q=written(rest))) for text, rest in found]


def _of_fields(question: Question) -> list[tuple[str, Question]]:
    named = ((name, getattr(question, name).strip()) for name in BESIDE)
    return [(f"{name}:{value}", replace(question, **{name: ""})) for name, value in named if value]


def _of_pictures(question: Question) -> list[tuple[str, Question]]:
    named = {"like": "photos like another", "picture": "your picture"}
    return [(text, replace(question, **{name: ""})) for name, text in named.items() if getattr(question, name)]


def _chip(text: str, rest: Question) -> str:
    asked = html.escape(json.dumps(asdict(rest)))  # ASCII
    return (
        f'<li><button type="button" data-ask="{asked}" aria-label="Leave out {safe(text)}" title="Leave this out">'
        f'<span>{safe(text)}</span><span aria-hidden="true">×</span></button></li>'
    )
