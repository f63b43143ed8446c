"""What the review queue hands out and takes in, as plain frozen values. No queries here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from indexer.catalog.tag_records import TagPath, TagState

if TYPE_CHECKING:
    from datetime import datetime

Order = Literal["uncertain", "frequent"]
ORDERS: tuple[Order, ...] = get_args(Order)
Word = Literal["accept", "reject", "undo"]
WORDS: tuple[Word, ...] = get_args(Word)
Decided = Literal["accept", "reject"]
Became = Literal["done", "unchanged", "kept", "gone"]

Key = tuple[int, int, int, int]
"""Where a suggestion stands in an order: the rank of its tag or of itself, its tag's id, its rank there, its photo."""


@dataclass(frozen=True)
class Queue:
    """Which suggestions are meant, and in which order.

    Attributes:
        order: "uncertain": those whose confidence is nearest to one half first; "frequent": those of the tag that has
            most of them first, the surest of a tag first.
        under: a tag, with what lies under it; None is every tag.
        since: no later than when somebody began to go through it, aware, and later than every decision that was to be
            seen then: what was decided from then on counts as suggested still in how frequent a tag is, so that the
            order stays while decisions are made.
    """

    order: Order
    under: TagPath | None
    since: datetime


class Pending(NamedTuple):
    """A suggestion that nobody has decided on, and where it stands."""

    photo_id: int
    tag_id: int
    path: TagPath
    model: str | None
    score: float | None
    confidence: float | None
    key: Key


@dataclass(frozen=True)
class Asked:
    """A person's word on one suggestion, or that an earlier one is taken back.

    Attributes:
        photo_id: of which photo.
        path: the tag.
        word: what is said.
        of: of an undo, and of nothing else, the word that is taken back: what was decided otherwise since stays.
    """

    photo_id: int
    path: TagPath
    word: Word
    of: Decided | None = None

    def __post_init__(self) -> None:
        """Refuse an undo that does not say of what. Raises ValueError."""
        if (self.word == "undo") is (self.of is None):
            raise ValueError(f"an undo, and nothing else, says of which word it is, not {self.word!r} of {self.of!r}")


@dataclass(frozen=True)
class Settled:
    """What became of a word.

    Attributes:
        became: "done"; "unchanged" where it was so already; "kept" where it was decided otherwise, which stays; "gone"
            where there is no such photo or tag any more.
        state: what holds now; None where the photo has the tag in no state.
    """

    became: Became
    state: TagState | None
