"""The parameters of a search over HTTP: how many hits, in which order, and each filter of the query language.

A parameter that none of them is called is refused, and one that is taken once does not stand twice.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, Literal, get_origin

from fastapi import Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams

from app.duplicates.kinds import Kind
from app.search import query
from app.search.language.filter_fields import filter_of
from app.search.language.filter_words import NAMES
from app.search.language.parsing import parse
from app.web.dependencies import Decimal, Whole
from indexer.catalog.photo_filter import PhotoFilter
from indexer.errors import QueryError

DEFAULT_LIMIT = 20
Text = Annotated[str | None, Field(default=None, max_length=query.MAX_TEXT)]
Texts = Annotated[list[str], Field(default_factory=list, max_length=100)]
PhotoIds = list[Annotated[Whole, Field(ge=1, le=2**63 - 1)]]
Marked = Annotated[PhotoIds, Field(default_factory=list, max_length=query.MAX_MARKS)]


class FilterFields(BaseModel):
    """Which photos are meant."""

    model_config = ConfigDict(extra="forbid")

    after: Text = Field(description="Taken in or after this year, month or day, such as 2021-06.")
    before: Text = Field(description="Taken before this year, month or day.")
    on: Text = Field(description="Taken in this year or month, or on this day.")
    year: Text = Field(description="Taken in a year, or from one to another, such as 2019..2021.")
    month: Text = Field(description="Taken in this month of any year, such as 7 or july.")
    folder: Text = Field(description="An absolute folder, or names of folders such as Holiday/Beach.")
    place: Text = Field(description="A city, region or country, such as Lisbon or New York.")
    near: Text = Field(description="Latitude, longitude and kilometres, such as 38.71,-9.14,5.")
    camera: Text = Field(description="Words of the camera's make or model.")
    lens: Text = Field(description="Words of the lens's name.")
    name: Text = Field(description="A part of the file's name; with * or ? a pattern of the whole name.")
    type: Text = Field(description="photo, video, raw, or a format such as jpeg.")
    tag: Texts = Field(description="Tags, all of which a photo has.")
    keyword: Texts = Field(description="Words of keywords in the photo's files, all of which it has.")
    text: Texts = Field(
        description="Words that stand together in title, description, keywords, accepted tags, or names of file and "
        "folders, such as Anna's wedding; the last may end with *."
    )
    rating: Text = Field(description="Stars, such as 4, 3..5 or >=4.")
    width: Text = Field(description="Pixels, such as >=3000.")
    height: Text = Field(description="Pixels, such as >=3000.")
    orientation: Text = Field(description="landscape, portrait or square.")
    is_: Texts = Field(alias="is", description="favourite, photo, video, raw, landscape, portrait, square.")
    has: Texts = Field(description="What the photo must know of itself, such as gps.")
    duplicate: Text = Field(description="no: one of each picture; yes: those that there are several of.")
    not_: Texts = Field(alias="not", description="Filters that exclude, such as camera:canon.")

    def filter(self) -> PhotoFilter:
        """The filter that the fields make together.

        Raises:
            QueryError: a value is none for its filter.
        """
        if self.model_fields_set.isdisjoint(FilterFields.model_fields):
            return PhotoFilter()
        return filter_of({name: getattr(self, "is_" if name == "is" else name) for name in NAMES}, self.not_)


class ListingFields(FilterFields):
    """Which photos may be hits, how many of them are wanted, and in which order."""

    limit: Whole = Field(default=DEFAULT_LIMIT, ge=1, le=query.MAX_LIMIT, description="Hits wanted.")
    offset: Whole = Field(default=0, ge=0, le=query.MAX_OFFSET, description="Hits skipped before the first.")
    sort: Literal["relevance", "date"] = Field(
        default="relevance", description="Best first, or all matches, the newest first by the instant."
    )
    min_relevance: Decimal | None = Field(
        default=None, ge=0, le=1, description="Relevance of a match; 0 lists all. What the server is set to, else 0.5."
    )
    right: Marked = Field(description="Ids of photos that are what was looked for: others like them come first.")
    wrong: Marked = Field(description="Ids of photos that are not: they are no hits, and others like them come later.")
    diverse: bool = Field(default=False, description="Photos that are like one before them come later.")
    all_copies: bool = Field(
        default=False, description="Each copy of a picture is a hit, rather than standing in `copies` of the first."
    )

    def least(self, otherwise: float) -> float:
        """The relevance that is asked for, or the other one."""
        return otherwise if self.min_relevance is None else self.min_relevance

    def listing(self, min_relevance: float) -> dict[str, Any]:
        """Which page, order and marks are asked for, as fields of a query."""
        return {
            "limit": self.limit,
            "offset": self.offset,
            "sort": self.sort,
            "min_relevance": self.least(min_relevance),
            "right": tuple(self.right),
            "wrong": tuple(self.wrong),
            "diverse": self.diverse,
            "all_copies": self.all_copies,
        }


class SimilarFields(ListingFields):
    """What else hits shall be like."""

    also: PhotoIds = Field(
        default_factory=list,
        max_length=query.MAX_SOURCES - 1,
        description="Ids of more photos: hits are like all of them together.",
    )
    region: Text = Field(
        description="x,y,width,height of a part of the upright photo, such as 25%,10%,50%,40% or fractions."
    )

    def query(self, min_relevance: float) -> query.Query:
        """Which hits are wanted; as of `SearchFields`."""
        return query.Query(filter=self.filter(), **self.listing(min_relevance))


class DuplicateFields(FilterFields):
    """Which photos are compared, and which groups of them are shown."""

    kind: list[Kind] = Field(default_factory=list, max_length=10, description="What counts; all where none is named.")
    limit: Whole = Field(default=DEFAULT_LIMIT, ge=1, le=query.MAX_LIMIT, description="Groups wanted.")
    offset: Whole = Field(default=0, ge=0, le=query.MAX_OFFSET, description="Groups skipped before the first.")


class SearchFields(ListingFields):
    """What to look for, too."""

    q: str = Field(
        default="", description="Words, in the query language: terms with + and -, and filters, may stand among them."
    )

    def query(self, min_relevance: float) -> query.Query:
        """The query: what stands among the words and what stands beside them both hold.

        Args:
            min_relevance: of a match, where none is asked for.

        Raises:
            QueryError: something is not understood.
        """
        return replace(parse(self.q, beside=self.filter()), **self.listing(min_relevance))


class PageFields(SearchFields):
    """What to look for, or the page that follows an answer."""

    cursor: str | None = Field(
        default=None,
        max_length=query.MAX_TEXT,
        description="The `next` of an answer: goes on with that search, whatever route it came by, by the best hits "
        "that were not handed out before. Nothing but `limit` stands beside it.",
    )

    def asked_limit(self) -> int | None:
        """The limit beside a cursor; None where none is named.

        Raises:
            QueryError: anything else stands beside it.
        """
        if others := sorted(self._named() - {"cursor", "limit"}):
            raise QueryError(
                f"{', '.join(others)}: beside a cursor stands nothing but limit, since it goes on with the search that "
                "it came with. Leave out what else there is, or leave out the cursor to search anew."
            )
        return self.limit if "limit" in self.model_fields_set else None

    def _named(self) -> set[str]:
        """What was sent, as it is called there."""
        return {type(self).model_fields[name].alias or name for name in self.model_fields_set}


def sound_fields(asked: QueryParams) -> PageFields | None:
    """The fields of a search that stand in an address; None where any of them is refused, which FastAPI explains.

    FastAPI reads the same model a field at a time, and tells what is wrong.
    """
    sent: dict[str, object] = {}
    for name, value in asked.multi_items():
        if name in MANY:
            several = sent.setdefault(name, [])
            assert isinstance(several, list)
            several.append(value)
        elif name in sent:
            return None
        else:
            sent[name] = value
    try:
        return PageFields.model_validate(sent)
    except ValidationError:
        return None


class PictureFields(SearchFields):
    """A picture to look for, alone or with words."""

    file: UploadFile = Field(description="A picture in any format that is indexed; it is not kept.")


async def expect_once(request: Request) -> None:
    """Refuse a parameter that stands several times where one value is taken: which of them would count?

    Raises:
        QueryError: one does, or stands in the address where the form is read, naming it.
    """
    sent: Iterable[tuple[str, object]] = request.query_params.multi_items()
    if request.method == "POST":
        for name, _ in sent:
            raise QueryError(f"{name[:60]} stands in the address, and is not read there. Send it in the form.")
        sent = (await request.form()).multi_items()
    names = [name for name, _ in sent]
    for name in dict.fromkeys(names):
        if names.count(name) > 1 and name not in MANY:
            words = "; words that are looked for together stand in one q, things to look for beside each other with a +"
            said = f"{name} stands {names.count(name)} times, and is taken once. Leave one of them"
            raise QueryError(f"{said}{words if name == 'q' else ''}.")


def _several() -> frozenset[str]:
    """The parameters that may stand several times."""
    fields = {**SearchFields.model_fields, **SimilarFields.model_fields, **DuplicateFields.model_fields}
    return frozenset(field.alias or name for name, field in fields.items() if get_origin(field.annotation) is list)


MANY = _several()
