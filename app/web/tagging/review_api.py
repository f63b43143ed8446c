"""The review queue over the HTTP API: which suggestions to ask about next, and many answers in one request."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, FailFast, Field, model_validator

from app.tag_path import path_text
from app.tagging import lookup as tag_lookup
from app.tagging.review import MOST, ReviewPage
from app.web.answers import PathText
from app.web.dependencies import ServicesDep, Whole
from app.web.door.short_bodies import Sent, ShortBody
from app.web.responses import PREFIX, refusals
from indexer.catalog.records import PhotoRecord
from indexer.catalog.review.records import Asked, Became, Decided, Order, Pending, Settled, Word
from indexer.catalog.tag_records import TagState

MOST_ANSWERS = 1000

router = APIRouter(prefix=PREFIX, route_class=ShortBody)

PATH = "Levels parted by /; a slash within a name is written \\/."
Named = Annotated[str, Field(description=PATH, max_length=2000)]
PhotoNumber = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1, description="The photo's id.")]
ORDER = "uncertain: the confidence nearest to 50 % first; frequent: the tag with most suggestions first."
ByOrder = Annotated[Order, Query(description=ORDER)]
UnderTag = Annotated[
    str | None,
    Query(description="Only this tag and what lies under it: its path, or its name where only one has it."),
]
Cursor = Annotated[str | None, Query(max_length=400, description="As the answer before gave it.")]


class SuggestionAnswer(BaseModel):
    """A suggestion that nobody has decided on."""

    photo: int = Field(description="The photo's id.")
    path: PathText
    version: str | None = Field(description="As v= in the address of its thumbnail or preview: then they may be kept.")
    duration_s: float | None = Field(description="Length in seconds of a video; null for a photo.")
    tag: Named
    confidence: float | None = Field(description="How sure the model is, 0 to 1.")
    score: float | None = Field(description="Cosine of the photo and the tag, -1 to 1.")
    model: str | None = Field(description="Which model suggests it.")

    @classmethod
    def of(cls, one: Pending, photo: PhotoRecord) -> "SuggestionAnswer":
        """The answer for one suggestion."""
        return cls(
            photo=photo.id,
            path=str(photo.path),
            version=photo.content_hash,
            duration_s=photo.duration_s,
            tag=path_text(one.path),
            confidence=one.confidence,
            score=one.score,
            model=one.model,
        )


class ReviewAnswer(BaseModel):
    """Some suggestions, in the order asked for."""

    left: int = Field(description="Suggestions that are to be decided, of this tag or of all.")
    cursor: str | None = Field(description="What asks for those behind these; null where these are the last ones.")
    suggestions: list[SuggestionAnswer]

    @classmethod
    def of(cls, page: ReviewPage) -> "ReviewAnswer":
        """The answer for one page."""
        shown = [SuggestionAnswer.of(one, photo) for one, photo in page.items]
        return cls(left=page.left, cursor=page.cursor, suggestions=shown)


class WordRequest(Sent):
    """A person's word on one suggestion."""

    photo: PhotoNumber
    tag: Named
    word: Word = Field(description="undo takes back what a person decided: it is a suggestion again.")
    of: Decided | None = Field(
        default=None,
        description="Of an undo alone: which word is taken back. What was decided otherwise since is kept.",
    )

    @model_validator(mode="after")
    def _says_of_what(self) -> Self:
        if (self.word == "undo") is (self.of is None):
            raise ValueError("an undo says of which word it is (of: accept or reject), and nothing else does")
        return self


class WordsRequest(Sent):
    """Words on many suggestions: they are taken in one after the other, all or none."""

    words: Annotated[list[WordRequest], FailFast()] = Field(max_length=MOST_ANSWERS)


class SettledAnswer(BaseModel):
    """What became of one word."""

    photo: int
    tag: str = Field(description=PATH)
    became: Became = Field(
        description="done; unchanged: it was so already; kept: it was decided otherwise before, which stays until "
        "that is taken back; gone: there is no such photo or tag any more."
    )
    state: Literal["suggested", "accepted", "rejected"] | None = Field(
        description="What holds now; null where the photo has the tag in no state."
    )

    @classmethod
    def of(cls, word: WordRequest, settled: Settled) -> "SettledAnswer":
        """The answer for one word."""
        state: TagState | None = settled.state
        return cls(photo=word.photo, tag=word.tag, became=settled.became, state=state)


@router.get("/review", responses=refusals(400, 422, 503))
def review(
    services: ServicesDep,
    order: ByOrder = "uncertain",
    tag: UnderTag = None,
    limit: Annotated[Whole, Query(ge=1, le=MOST)] = 20,
    cursor: Cursor = None,
) -> ReviewAnswer:
    """Suggestions that nobody has decided on. Pages follow one another without a gap while decisions are made.

    What a run suggests meanwhile is met by who begins anew, without a cursor; so may be, in the order "frequent", the
    suggestions of a tag of which somebody took back decisions that are older than the first page.
    """
    under = tag_lookup.find(services, tag) if tag else None
    return ReviewAnswer.of(services.review.page(order, under, limit=limit, cursor=cursor))


@router.post("/review", responses=refusals(400, 413, 422, 503))
def settle(services: ServicesDep, said: WordsRequest) -> list[SettledAnswer]:
    """Decide on suggestions, or take decisions back; to say the same twice changes nothing the second time."""
    asked = [Asked(word.photo, tag_lookup.parsed(word.tag), word.word, word.of) for word in said.words]
    settled = services.review.settle(asked)
    return [SettledAnswer.of(*pair) for pair in zip(said.words, settled, strict=True)]
