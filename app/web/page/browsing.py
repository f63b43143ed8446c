"""What the page shows at a moment: what was asked, and a page of hits. It knows no HTML and no Gradio."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from app.bootstrap import Services
from app.duplicates.duplicate_service import Duplicates, Group
from app.names import shown_path
from app.search.language.filter_fields import make_filter
from app.search.language.parsing import parse
from app.search.live_index import EmptyLibraryError
from app.search.paging.asked import Asked
from app.search.query import Prepared, Query
from app.search.search_service import Hit, SearchResult
from app.web.page.question import Question, whole_number
from indexer.catalog.frame_ids import frame_id
from indexer.catalog.records import PhotoRecord
from indexer.catalog.tag_records import PhotoTag
from indexer.errors import ImageError, QueryError
from indexer.pictures.video_frames import MAX_FRAMES

GROUPS = 24  # on a page of duplicates
PAGE_SIZE = 48  # hits; a screen and a half at 1280 px
NOT_KEPT = "your picture is kept for an hour only, and was let go. Add it again."


class PhotoGoneError(QueryError):
    """A photo that is asked for is not there any more, or could not be read."""


@dataclass(frozen=True)
class Sample:
    """A picture that was dropped in: its token, and a small WebP of it to show."""

    token: str
    small: bytes


@dataclass(frozen=True)
class Shown:
    """The answer to a question.

    Attributes:
        query: what was understood.
        like: the photo whose likes are shown, if that was asked.
        sample: the picture that was dropped in, if there is one.
        result: the service's answer.
        unused: what was asked that does not count, since nothing is looked for that it could be of; "" for nothing.
    """

    query: Query
    like: PhotoRecord | None
    sample: Sample | None
    result: SearchResult
    unused: str = ""


def ask(services: Services, question: Question) -> Shown:
    """Search for the words, the picture, or both; or for photos like one of the library, within the filters.

    Where nothing is asked, the newest photos are shown.

    Raises:
        PicsiftError: there is nothing to look for, or it cannot be understood or answered.
    """
    least = question.least_relevance(services.settings.min_relevance)
    query = replace(_asked(question), limit=PAGE_SIZE, min_relevance=least)
    query = replace(query, all_copies=question.copies == "all", **_compared(question, query))
    if question.like:
        photo = find(services, question.like)
        return Shown(query, photo, None, services.search.similar(photo.id, query))
    if not question:
        newest = services.search.newest(limit=PAGE_SIZE, all_copies=query.all_copies)
        with suppress(EmptyLibraryError):  # no model answered, and this one will
            newest = replace(newest, model=services.search.live.model().name)
        return Shown(query, None, None, newest, _unused(question) if _marks(question) else "")
    if not question.picture:
        unused = "" if query.text.strip() else _unused(question)
        return Shown(query, None, None, services.search.search(query), unused)
    dropped = services.dropped.find(question.picture)
    if dropped is None:
        raise QueryError(NOT_KEPT)
    result = services.search.search(replace(query, image=dropped.prepared))
    return Shown(query, None, Sample(dropped.token, dropped.small), result)


def go_on(services: Services, cursor: str) -> SearchResult:
    """The page behind the answer that came with that cursor.

    Raises:
        CursorGoneError: it is not kept any more, or the library has another model, or is another one.
        PicsiftError: it cannot be answered.
    """
    return services.search.go_on(services.cursors.find(cursor))


def following(services: Services, result: SearchResult) -> str | None:
    """A cursor of the page behind an answer; None where none follows."""
    return None if result.following is None else services.cursors.keep(result.following)


def let_go(services: Services, cursors: object) -> None:
    """Forget the searches that a page has left, by cursors of theirs; they come from a browser and may be anything."""
    for cursor in cursors if isinstance(cursors, list) else ():
        if isinstance(cursor, str):
            services.cursors.let_go(cursor)


def duplicates(
    services: Services, question: Question, cursor: str | None = None
) -> tuple[Duplicates, list[Group], str | None]:
    """Photos that are one picture, among those that the question's filters allow; words do not count.

    Args:
        services: to ask.
        question: what is asked.
        cursor: of the page behind an answer; None for the first.

    Returns:
        All that was found, the groups of the page, and a cursor of the one behind it, if there is one.

    Raises:
        CursorGoneError: as of `go_on`.
        PicsiftError: the filters cannot be understood, or there is nothing to compare yet.
    """
    model, file = services.search.live.model(), services.library.catalog.version()[0]
    asked = services.cursors.find(cursor) if cursor is not None else Asked("", _asked(question), model, file)
    asked.expect(model, file)
    found = services.duplicates.remembered(filter=asked.query.filter)
    some = list(islice(_unseen(found, set(asked.handed_out.tolist())), GROUPS + 1))
    shown = some[:GROUPS]
    hits = [Hit(photo, None) for group in shown for photo in _photos_of(group)]
    following = asked.following(hits, has_more=len(some) > len(shown))
    return found, shown, None if following is None else services.cursors.keep(following)


def _unseen(found: Duplicates, handed_out: Collection[int]) -> Iterator[Group]:
    """The groups of which two photos or more were not handed out: what joins others later may make another group."""
    for group in found.groups:
        if sum(photo.id not in handed_out for photo in _photos_of(group)) >= 2:
            yield group


def _photos_of(group: Group) -> list[PhotoRecord]:
    return [group.best, *(one.photo for one in group.others)]


def take_in(services: Services, picture: bytes) -> str:
    """Keep what a search needs of a picture that was dropped in; the token that a question knows it by.

    Raises:
        PicsiftError: it is no picture, or there is nothing to search yet.
    """
    embedder = services.embedders.of(services.search.live.model())
    try:
        pixels, small = services.decoder.square_and_small(picture, embedder.prepare, embedder.image_size)
    except ImageError as error:
        reason = str(error).rstrip(".")
        raise QueryError(f"this file cannot be searched by: {reason}. Take a photo, such as a JPEG or HEIC.") from error
    return services.dropped.keep(Prepared(embedder.image_size, pixels), small)


def find(services: Services, photo_id: object) -> PhotoRecord:
    """The photo with that id, which comes from a browser and may be anything.

    Raises:
        PhotoGoneError: there is none any more, or nothing of it can be shown.
    """
    number = whole_number(photo_id)
    photo = None if number is None else services.library.catalog.photo(number)
    if photo is None:
        raise PhotoGoneError("this photo is no longer in the library. Search again.")
    if photo.content_hash is None:
        name, reason = shown_path(Path(photo.path.name)), (photo.reason or "no reason is known").rstrip(".")
        raise PhotoGoneError(f"{name} cannot be shown, since it could not be read: {reason}.")
    return photo


def is_there(photo: PhotoRecord) -> bool:
    """Whether a photo's file is where it was indexed; a file that cannot be looked at counts as there."""
    try:
        photo.path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def around(services: Services, photo: PhotoRecord) -> tuple[list[PhotoRecord], tuple[PhotoTag, ...]]:
    """The copies of a photo, and its tags."""
    catalog = services.library.catalog
    return catalog.copies_of(photo.id), catalog.tags.of([photo.id]).get(photo.id, ())


def frame_of(services: Services, photo: PhotoRecord, frame: object) -> tuple[int, float | None]:
    """Number and moment of a video's frame; of its poster where there is no such frame."""
    number = whole_number(frame)
    if number and photo.duration_s is not None and number <= MAX_FRAMES:
        wanted = frame_id(photo.id, number)
        model = services.search.live.model()
        moment_s = services.library.catalog.moments(model.id, [wanted]).get(wanted)
        if moment_s is not None:
            return number, moment_s
    return 0, photo.poster_s


def marked(services: Services, question: Question) -> list[tuple[str, PhotoRecord]]:
    """The photos that are marked right and wrong, as far as they are there."""
    return [
        (kind, photo) for kind in ("right", "wrong") for photo in services.library.catalog.photos(question.marked(kind))
    ]


def _compared(question: Question, query: Query) -> dict[str, Any]:
    """The marks and the diverse order, where something is looked for that they can be of."""
    if not (question.like or question.picture or query.text.strip()):
        return {}
    right, wrong = question.marked("right"), question.marked("wrong")
    return {"right": right, "wrong": wrong, "diverse": question.diverse == "yes"}


def _marks(question: Question) -> bool:
    return bool(question.marked("right") or question.marked("wrong"))


def _unused(question: Question) -> str:
    """What a question asks that filters alone have no use for; "" for nothing."""
    asked = {"the marks": _marks(question), "keeping alike photos apart": question.diverse == "yes"}
    named = " and ".join(name for name, there in asked.items() if there)
    return f"without words or a picture to look for, {named} change nothing: the newest come first." if named else ""


def _asked(question: Question) -> Query:
    """The query, with the filter that the words and the fields beside them make together."""
    beside = make_filter(question.after, question.before, question.folder.strip(), question.place.strip())
    return parse(question.q, beside=beside)
