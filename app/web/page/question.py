"""What the page asks, as it stands in its address: words, filters beside them, a picture or a photo. Pure.

It comes from a browser, so that it may be anything until it is a Question.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

HOW = frozenset(("least", "right", "wrong", "diverse", "copies"))
"""What says how answers are listed, and looks for nothing by itself."""


@dataclass(frozen=True)
class Question:
    """What stands in the page's fields, as typed; "" where nothing does.

    Attributes:
        q: words, in the query language.
        after: a date, as in the query language; so are the other three.
        before: a date.
        folder: a folder.
        place: a place.
        like: the id of the photo whose likes are wanted; words do not count beside it.
        picture: the token of a picture that was dropped in.
        least: relevance of a match, 0 to 1, or "nearest" for whatever is nearest to this one question; what the server
            is set to where it is neither.
        right: ids of photos that are what was looked for, with commas between them.
        wrong: likewise of photos that are not.
        diverse: "yes" where photos that are alike shall stand apart.
        copies: "all" where each copy shall be a hit.
        show: "duplicates" for groups of photos that are one picture, among what the filters allow.
    """

    q: str = ""
    after: str = ""
    before: str = ""
    folder: str = ""
    place: str = ""
    like: str = ""
    picture: str = ""
    least: str = ""
    right: str = ""
    wrong: str = ""
    diverse: str = ""
    copies: str = ""
    show: str = ""

    @classmethod
    def of(cls, sent: object) -> Question:
        """The question that was sent; what is no text in it counts as not asked."""
        known = sent if isinstance(sent, dict) else {}
        texts = {part.name: _text(known.get(part.name)) for part in fields(cls)}
        texts["show"] = texts["show"] if texts["show"] == "duplicates" else ""
        return cls(**(texts | {"q": ""} if texts["like"] else texts))

    def __bool__(self) -> bool:
        """Whether anything is asked at all."""
        return any(getattr(self, part.name) for part in fields(self) if part.name not in HOW)

    def marked(self, kind: str) -> tuple[int, ...]:
        """The ids that are marked "right" or "wrong"; what is none in the text counts as not marked."""
        numbers = map(whole_number, getattr(self, kind).split(","))
        return tuple(dict.fromkeys(number for number in numbers if number))

    def least_relevance(self, otherwise: float) -> float:
        """The relevance of a match, as asked for or the other one."""
        if self.least == "nearest":
            return 0.0
        try:
            least = float(self.least)
        except ValueError:
            return otherwise
        return least if 0 <= least <= 1 else otherwise


def _text(value: object) -> str:
    """A text that is valid Unicode and not blank."""
    text = value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
    return text if text.strip() else ""


def whole_number(value: object) -> int | None:
    """The number that was sent, or that digits stand for, as far as SQLite counts; None where it is none."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 19:
        value = int(value)
    return value if type(value) is int and 0 <= value < 2**63 else None
