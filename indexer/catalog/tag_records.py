"""Tags as the catalog hands them out and takes them in, as plain frozen values. No queries here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

TagPath = tuple[str, ...]
"""A tag's levels, the broadest first: ("animal", "dog")."""

TagState = Literal["suggested", "accepted", "rejected"]
STATES: tuple[TagState, ...] = ("suggested", "accepted", "rejected")

MODEL = "model"  # the origin of suggestions
PERSON = "person"  # of what was decided here


@dataclass(frozen=True)
class TagCounts:
    """A tag and how many photos have it, in each state. What its parents count is their own."""

    id: int
    path: TagPath
    suggested: int = 0
    accepted: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class PhotoTag:
    """One tag on one photo.

    Attributes:
        tag_id: of the tag.
        path: its levels.
        state: "suggested" by a model, or "accepted" or "rejected" by a person or an import.
        origin: "model", "person", or what it was imported from.
        model: name of the model that scored it; None where none did.
        score: cosine of the photo and the tag under that model, -1 to 1.
        confidence: the model's estimate that the tag is right, 0 to 1.
        changed_at: when it was suggested or decided, aware.
    """

    tag_id: int
    path: TagPath
    state: TagState
    origin: str
    model: str | None
    score: float | None
    confidence: float | None
    changed_at: datetime


class Suggestion(NamedTuple):
    """A model's opinion on one photo and tag; a tuple, because a run makes hundreds of thousands."""

    photo_id: int
    tag_id: int
    score: float
    confidence: float


@dataclass(frozen=True)
class Decision:
    """A person's or an import's word on one photo and tag."""

    photo_id: int
    path: TagPath
    state: TagState
    origin: str = PERSON


EditField = Literal["title", "description", "rating"]


@dataclass(frozen=True)
class Edit:
    """A title, description or rating given to a photo, with where it came from."""

    photo_id: int
    field: EditField
    value: str
    origin: str
