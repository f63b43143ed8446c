"""What the HTTP API answers, as models that /openapi.json describes. It fetches nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from app.names import shown_path
from app.search.paging.cursors import Cursors
from app.search.ranking import FoundBy
from app.search.search_service import Hit, SearchResult
from app.status import Status
from app.status import document as status_document
from indexer.catalog.records import PhotoRecord
from indexer.metadata.dates import SOURCES

PathText = Annotated[
    str,
    BeforeValidator(shown_path),
    Field(description="Absolute path; bytes of a name that is not UTF-8 are shown as U+FFFD."),
]


LocalTime = Annotated[
    datetime,  # of no zone, so that it has not OpenAPI's format "date-time"
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?$"}),
]

COMPANIONS = "Files of the same shot beside it: RAWs, and the video of a live photo."


class CopyAnswer(BaseModel):
    """Another file with the same picture."""

    id: int
    path: PathText

    @classmethod
    def of(cls, photo: PhotoRecord) -> "CopyAnswer":
        """The answer for one photo."""
        return cls(id=photo.id, path=str(photo.path))


class HitAnswer(BaseModel):
    """One photo that was found."""

    id: int
    path: PathText
    score: float | None = Field(description="Cosine of query and photo, -1 to 1; null of filters alone.")
    relevance: float | None = Field(
        description="How much better it fits than unrelated photos do, 0 to 1; null where that is not known."
    )
    found_by: list[FoundBy] = Field(
        description="What found it: words that it carries, its picture, or both; none where nothing was looked for."
    )
    taken_at: LocalTime | None = Field(description="Local time where it was taken, without a zone.")
    width: int | None
    height: int | None
    duration_s: float | None = Field(description="Length in seconds of a video; null for a photo.")
    moment_s: float | None = Field(description="When the video's best frame is shown, in seconds; null for a photo.")
    frame: int = Field(description="Which frame that is, for its thumbnail; 0 is the one that stands for the video.")
    companions: list[PathText] = Field(description=COMPANIONS)
    reachable: bool = Field(description="Whether its file was there at the last look.")
    copies: list[CopyAnswer] = Field(description="Exact copies, which stand behind this one; `all_copies` lists each.")

    @classmethod
    def of(cls, hit: Hit) -> "HitAnswer":
        """The answer for one hit."""
        return cls(**_hit(hit))


class SearchAnswer(BaseModel):
    """The photos that were found, best first; of filters alone, the newest first."""

    query: str
    model: str
    total: int = Field(description="Photos that the filters allow, copies included.")
    matches: int | None = Field(
        description="Of these, those that are relevant enough, copies included, counted up to 100,000; null where that "
        "is not known."
    )
    has_more: bool = Field(description="Whether more hits follow; of copies one alone is a hit, so counts do not tell.")
    took_ms: float
    hint: str | None = Field(description="Where nothing was found: what may have been meant, if that is known.")
    hits: list[HitAnswer]
    next: str | None = Field(
        description="The `cursor` of the page that follows, for `GET /search`, which repeats no hit and leaves none "
        "out while the library changes; null where none follows, and of a page at an offset."
    )

    @classmethod
    def of(cls, result: SearchResult, cursors: Cursors) -> "SearchAnswer":
        """The answer for one search; a cursor is kept for the page that follows."""
        return cls(**search_document(result, cursors))


def search_document(result: SearchResult, cursors: Cursors) -> dict[str, Any]:
    """What `SearchAnswer` is made of, and written as, without a model for each hit, which costs more than the rest."""
    following = None if result.following is None else cursors.keep(result.following)
    return {**result.document(_hit), "next": following}


def _hit(hit: Hit) -> dict[str, Any]:
    photo = hit.photo
    return {
        "id": photo.id,
        "path": shown_path(photo.path),
        "score": None if hit.score is None else round(hit.score, 6),
        "relevance": hit.relevance,
        "found_by": list(hit.found_by),
        "taken_at": photo.taken_at,
        "width": photo.width,
        "height": photo.height,
        "duration_s": photo.duration_s,
        "moment_s": None if hit.moment_s is None else round(hit.moment_s, 3),
        "frame": hit.frame,
        "companions": [shown_path(path) for path in photo.companions],
        "reachable": photo.missing_since is None,
        "copies": [{"id": copy.id, "path": shown_path(copy.path)} for copy in hit.copies],
    }


class PhotoAnswer(BaseModel):
    """All that the library knows of one photo."""

    id: int
    path: PathText
    state: str = Field(description="ok, or failed: then reason says why.")
    reason: str | None
    missing_since: datetime | None = Field(description="When its file was first not found; null while it is there.")
    size: int = Field(description="Bytes of the file.")
    format: str | None
    width: int | None
    height: int | None
    taken_at: LocalTime | None = Field(description="Local time where it was taken, without a zone.")
    taken_offset_min: int | None = Field(description="Minutes that this time is ahead of UTC, where the file says so.")
    taken_source: str | None = Field(description=f"Which field the date is from: {', '.join(SOURCES)}.")
    taken_precision: str | None = Field(description="month or year where no more of the date is known; else null.")
    latitude: float | None
    longitude: float | None
    altitude: float | None = Field(description="Metres above the sea.")
    camera_make: str | None
    camera_model: str | None
    lens: str | None
    exposure_s: float | None = Field(description="Exposure in seconds.")
    f_number: float | None
    iso: int | None
    focal_mm: float | None = Field(description="Focal length in millimetres.")
    focal_35mm_mm: float | None = Field(description="Focal length that shows as much on 35 mm film.")
    rating: int | None = Field(description="0 to 5 stars, or -1 for rejected.")
    title: str | None
    description: str | None
    city: str | None = Field(description="As the file names it, or the city around or nearest to the position.")
    region: str | None
    country: str | None
    keywords: list[str] = Field(description="Levels of a hierarchy are parted by | or / as its program wrote them.")
    duration_s: float | None = Field(description="Length in seconds of a video; null for a photo.")
    poster_s: float | None = Field(description="When the frame that stands for a video is shown, in seconds.")
    indexed_at: datetime | None
    companions: list[PathText] = Field(description=COMPANIONS)
    copies: list[CopyAnswer] = Field(description="Other files with the same picture, whatever their metadata.")

    @classmethod
    def of(cls, photo: PhotoRecord, copies: Sequence[PhotoRecord]) -> "PhotoAnswer":
        """The answer for one photo."""
        known = {name: getattr(photo, name) for name in cls.model_fields if name not in ("path", "copies")}
        return cls(path=str(photo.path), copies=list(map(CopyAnswer.of, copies)), **known)


class HealthAnswer(BaseModel):
    """That the server answers."""

    status: Literal["ok"] = "ok"


class RootAnswer(BaseModel):
    """One folder that the library follows."""

    path: PathText
    photos: int
    last_scan_at: datetime | None
    problem: str | None


class ModelAnswer(BaseModel):
    """The model that answers searches."""

    name: str
    dim: int
    fingerprint: str


class IndexAnswer(BaseModel):
    """The vector index of that model."""

    kind: str
    vectors: int
    device: str
    bytes: int
    lists: int = Field(description="How many lists of near vectors there are; 0 where a search looks at all vectors.")
    probes: int = Field(description="How many of them a search of up to 32 hits looks into; 0: into all.")
    recall: float = Field(description="The share of the exact hits that these held, as measured on the library.")


class ActivityErrorAnswer(BaseModel):
    """A photo that failed, and why."""

    path: PathText
    reason: str


class ActivityAnswer(BaseModel):
    """What a process that works on the library is doing."""

    pid: int
    command: str
    state: Literal["starting", "scanning", "indexing", "idle", "waiting"]
    detail: str = Field(description="What it waits for.")
    queue: int = Field(description="Photos still to be dealt with; while idle, changes that have not settled yet.")
    done: int
    total: int
    failed: int
    photos_per_s: float | None
    remaining_s: float | None = Field(description="Seconds until this run is done.")
    errors: list[ActivityErrorAnswer]
    at: datetime


class StatusAnswer(BaseModel):
    """What is in the library, on which device, in what health."""

    photos: int
    failed: int
    missing: int
    roots: list[RootAnswer]
    model: ModelAnswer | None
    device: str
    precision: str
    index: IndexAnswer
    library: PathText
    activity: ActivityAnswer | None = Field(description="Null while nobody works on the library.")

    @classmethod
    def of(cls, status: Status) -> "StatusAnswer":
        """The answer for one reading."""
        return cls.model_validate(status_document(status))
