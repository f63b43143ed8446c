"""The parts of a question as chips above the pictures; each leads to the question without it. Pure."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from app.names import shown_path
from app.search.language.parsing import parse
from app.search.language.printing import parts, written
from app.web.page.gallery import photo_url
from app.web.page.markup import safe
from app.web.page.question import Question
from indexer.catalog.records import PhotoRecord
from indexer.errors import QueryError

BESIDE = ("after", "before", "folder", "place")  # fields that are filters of the same name


def chips(question: Question, marked: Sequence[tuple[str, PhotoRecord]] = (), *, picture: bool = False) -> str:
    """All parts of the question, as HTML; "" without any.

    What stands in the fields beside the words is among them, understood or not, since their panel may be closed.

    Args:
        question: what is asked.
        marked: "right" or "wrong", and a photo that is marked so.
        picture: whether the picture, or the photo whose likes are asked for, is one too: where it is not shown itself.
    """
    found = [
        *_of_view(question),
        *_of_words(question),
        *_of_fields(question),
        *(_of_pictures(question) if picture else ()),
    ]
    shown = "".join(_chip(text, rest) for text, rest in found) + _marks(question, marked)
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


def _of_view(question: Question) -> list[tuple[str, Question]]:
    return [("duplicates", replace(question, show=""))] if question.show == "duplicates" else []


def _of_pictures(question: Question) -> list[tuple[str, Question]]:
    named = {"like": "photos like another", "picture": "your picture"}
    return [(text, replace(question, **{name: ""})) for name, text in named.items() if getattr(question, name)]


def _marks(question: Question, marked: Sequence[tuple[str, PhotoRecord]]) -> str:
    """The photos that are marked, small; and where marks are of photos that are gone, one chip for all of those."""
    shown = ""
    for kind, photo in marked:
        left = ",".join(str(number) for number in question.marked(kind) if number != photo.id)
        text = f"{kind}: {shown_path(Path(photo.path.name))}"
        image = f'<img src="{photo_url(photo, "thumbnail")}" alt="" loading="lazy">' if photo.content_hash else ""
        shown += _chip(text, replace(question, **{kind: left}), f'<span class="mark {kind}">{image}{kind}</span>')
    there = {(kind, photo.id) for kind, photo in marked}
    kept = {kind: [one for one in question.marked(kind) if (kind, one) in there] for kind in ("right", "wrong")}
    if any(len(kept[kind]) < len(question.marked(kind)) for kind in kept):
        rest = {kind: ",".join(map(str, numbers)) for kind, numbers in kept.items()}
        shown += _chip("marks on photos that are gone", replace(question, **rest))
    return shown


def _chip(text: str, rest: Question, shown: str = "") -> str:
    asked = html.escape(json.dumps(asdict(rest)))  # ASCII
    return (
        f'<li><button type="button" data-ask="{asked}" aria-label="Leave out {safe(text)}" title="Leave this out">'
        f'{shown or f"<span>{safe(text)}</span>"}<span aria-hidden="true">×</span></button></li>'
    )
