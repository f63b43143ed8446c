"""What the page shows at a moment: what was asked, and the hits so far. It knows no HTML and no Gradio."""

from dataclasses import dataclass, replace

from app.bootstrap import Services
from app.search.query import MAX_OFFSET, Prepared, Query, make_filter, merge, parse
from app.search.search_service import Hit, SearchResult
from app.search.weights import embedder_of
from indexer.catalog.records import PhotoFilter, PhotoRecord
from indexer.catalog.tag_records import PhotoTag
from indexer.errors import ImageError, QueryError

PAGE_SIZE = 48  # hits; a screen and a half at 1280 px
NOT_KEPT = "your picture is kept for an hour only, and was let go. Add it again."


@dataclass(frozen=True)
class Fields:
    """What stands in the page's fields, as typed; None where the browser has not built a field yet."""

    words: str | None = None
    after: str | None = None
    before: str | None = None
    folder: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class Sample:
    """A picture that was dropped in: its token, and a small WebP of it to show."""

    token: str
    small: bytes


@dataclass(frozen=True)
class Shown:
    """The answer that the page shows.

    Attributes:
        query: what was asked; its offset is that of the last page of hits.
        like: the photo whose likes are shown, if that was asked.
        sample: the picture that was dropped in, if there is one.
        result: the service's last answer.
        hits: those of all pages so far.
    """

    query: Query
    like: PhotoRecord | None
    sample: Sample | None
    result: SearchResult
    hits: tuple[Hit, ...]

    @property
    def has_more(self) -> bool:
        """Whether another page can be asked for."""
        return self.result.has_more and self.query.offset + PAGE_SIZE <= MAX_OFFSET


def ask(services: Services, fields: Fields, sample: Sample | None = None) -> Shown:
    """Search for the words, the picture, or both.

    Raises:
        PicsiftError: there is nothing to look for, or it cannot be understood or answered.
    """
    words, wanted = _asked(fields)
    query = Query(text=words, filter=wanted, limit=PAGE_SIZE)
    result = services.search.search(_with_picture(services, query, sample))
    return Shown(query, None, sample, result, tuple(result.hits))


def take_in(services: Services, picture: bytes) -> str:
    """Keep what a search needs of a picture that was dropped in; the token that `ask_with` knows it by.

    Raises:
        PicsiftError: it is no picture, or there is nothing to search yet.
    """
    embedder = embedder_of(services.search.live.model(), services.embedder_for)
    try:
        pixels, small = services.decoder.square_and_small(picture, embedder.prepare, embedder.image_size)
    except ImageError as error:
        reason = str(error).rstrip(".")
        raise QueryError(f"this file cannot be searched by: {reason}. Take a photo, such as a JPEG or HEIC.") from error
    return services.dropped.keep(Prepared(embedder.image_size, pixels), small)


def ask_with(services: Services, fields: Fields, token: object) -> Shown:
    """Search for a picture that was taken in, and the words if there are any.

    Raises:
        PicsiftError: the picture is not kept any more, or as `ask`.
    """
    dropped = services.dropped.find(token)
    if dropped is None:
        raise QueryError(NOT_KEPT)
    return ask(services, fields, Sample(dropped.token, dropped.small))


def ask_like(services: Services, fields: Fields, photo_id: object) -> Shown:
    """Search for photos like one of the library, within the filters; words do not count.

    Raises:
        PicsiftError: it is not there any more, or nothing can be answered.
    """
    photo = find(services, photo_id)
    _, wanted = _asked(fields)
    result = services.search.similar(photo.id, limit=PAGE_SIZE, filter=wanted)
    return Shown(Query(filter=wanted, limit=PAGE_SIZE), photo, None, result, tuple(result.hits))


def ask_more(services: Services, shown: Shown | None) -> Shown:
    """The same with one more page of hits.

    Raises:
        PicsiftError: as the search itself; the session that held the search is over.
    """
    if shown is None:
        raise QueryError("this search is too old; search again.")
    query = replace(shown.query, offset=shown.query.offset + PAGE_SIZE)
    if shown.like is None:
        result = services.search.search(_with_picture(services, query, shown.sample))
    else:
        result = services.search.similar(shown.like.id, limit=query.limit, offset=query.offset, filter=query.filter)
    known = {hit.photo.id for hit in shown.hits}  # photos indexed meanwhile push others onto the next page
    fresh = tuple(hit for hit in result.hits if hit.photo.id not in known)
    return replace(shown, query=query, result=result, hits=shown.hits + fresh)


def find(services: Services, photo_id: object) -> PhotoRecord:
    """The photo with that id, which comes from a browser and may be anything.

    Raises:
        QueryError: there is none any more.
    """
    photo = None
    if isinstance(photo_id, int) and abs(photo_id) < 2**63:  # SQLite's integers end there
        photo = services.library.catalog.photo(photo_id)
    if photo is None:
        raise QueryError("this photo is no longer in the library. Search again.")
    return photo


def around(services: Services, photo: PhotoRecord) -> tuple[list[PhotoRecord], tuple[PhotoTag, ...]]:
    """The copies of a photo, and its tags."""
    catalog = services.library.catalog
    return catalog.copies_of(photo.id), catalog.tags.of([photo.id]).get(photo.id, ())


def frame_of(shown: Shown | None, photo: PhotoRecord) -> tuple[int, float | None]:
    """Number and moment of the frame that a video was found by; of its poster where it was not found."""
    for hit in shown.hits if shown else ():
        if hit.photo.id == photo.id:
            return hit.frame, hit.moment_s
    return 0, photo.poster_s


def _with_picture(services: Services, query: Query, sample: Sample | None) -> Query:
    if sample is None:
        return query
    dropped = services.dropped.find(sample.token)
    if dropped is None:
        raise QueryError(NOT_KEPT)
    return replace(query, image=dropped.prepared)


def _asked(fields: Fields) -> tuple[str, PhotoFilter]:
    """The words, and the filter that the words and the fields beside them make together."""
    words, among = parse(fields.words or "")
    beside = ((text or "").strip() or None for text in (fields.after, fields.before, fields.folder, fields.place))
    after, before, folder, place = beside
    return words, merge(among, make_filter(after, before, folder, place))
