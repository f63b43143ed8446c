"""Which tag and which photos a person means on the command line, in a query, or on the page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from app.tag_path import MAX_LEVELS, parse_path, path_text
from app.tagging.tagging_service import TaggingService
from indexer.catalog.filters import tag_filter
from indexer.catalog.tag_records import TagPath
from indexer.errors import QueryError, TagError
from indexer.library import Library

SHOWN = 5  # tags that a message lists


class Services(Protocol):
    """What is asked: of the composition root's services these two."""

    @property
    def library(self) -> Library:
        """Which tags and photos there are."""

    @property
    def tagging(self) -> TaggingService:
        """Which tags there could be."""


def parsed(text: str) -> TagPath:
    """The levels that a person wrote.

    Raises:
        TagError: they are none.
    """
    try:
        return parse_path(text)
    except ValueError as error:
        raise TagError(f"{error}") from None


def candidates(services: Services, text: str) -> list[TagPath]:
    """The tags that these words can mean, of the library and of its vocabulary: one where they are a whole path."""
    wanted = parsed(text)
    paths = services.library.catalog.tags.paths().values()
    # What lies above a tag is one too, whether or not any photo has it.
    known = dict(enumerate({path[:levels] for path in paths for levels in range(1, len(path) + 1)}))
    if wanted in known.values():
        return [wanted]
    # Those that end in what was written; what lies under them is meant too, but is not them.
    ending = [known[number] for number in tag_filter.matching(wanted, known) if _ends(known[number], wanted)]
    if ending:
        return sorted(ending)
    return sorted({tag.path for tag in services.tagging.vocabulary().find(text)})


def find(services: Services, text: str, *, exact: bool = False) -> TagPath:
    """The one tag that is meant; with `exact`, the one of this whole path and no other.

    Raises:
        TagError: there is none, or there are several.
    """
    found = candidates(services, text)
    found = [path for path in found if path == parsed(text)] if exact else found
    if len(found) == 1:
        return found[0]
    if not found:
        _require_unchanged(services, parsed(text))
        raise TagError(f"there is no tag {text!r}. 'picsift tags list --all' lists those that there are.")
    named = ", ".join(path_text(path) for path in found[:SHOWN])
    raise TagError(f"{text!r} can mean several tags: {named}{', …' if len(found) > SHOWN else ''}. Name one in full.")


def require_levels(services: Services, old: TagPath, new: TagPath) -> None:
    """TagError where a tag of the library or its vocabulary would have too many levels, were the one called the other.

    It lies under `old`, and its path would be one that no file and no command can name.
    """
    known = {*services.library.catalog.tags.paths().values(), *(tag.path for tag in services.tagging.vocabulary().tags)}
    for path in sorted(path for path in known if path[: len(old)] == old):
        levels = len(new) + len(path) - len(old)
        if levels > MAX_LEVELS:
            raise TagError(f"{path_text(path)} would have {levels} levels, and a tag has at most {MAX_LEVELS}.")


def _require_unchanged(services: Services, path: TagPath) -> None:
    """TagError where a tag of this name was deleted, or is called otherwise now."""
    for old, new in services.library.catalog.tags.changes():
        if old != new and path[: len(old)] == old:
            what = "was deleted" if new is None else f"is {path_text(new)} now"
            raise TagError(f"{path_text(old)} {what}. To take that back: picsift tags restore {path_text(old)!r}")


def find_or_make(services: Services, text: str, *, make: bool) -> TagPath:
    """The one tag that is meant; with `make`, a new one where there is none.

    Raises:
        TagError: there are several, or there is none and none is to be made.
    """
    return find(services, text) if not make or candidates(services, text) else parsed(text)


def photo_ids(services: Services, files: Sequence[Path]) -> dict[Path, int]:
    """The photos that lie at these paths.

    Raises:
        QueryError: at one there is none.
    """
    found = {file: services.library.catalog.photo_at(file) for file in files}
    for file, photo in found.items():
        if photo is None:
            raise QueryError(f"{file} is no photo of the library. Index its folder first: picsift index {file.parent}")
    return {file: photo.id for file, photo in found.items() if photo is not None}


def _ends(path: TagPath, wanted: TagPath) -> bool:
    tail = dict(enumerate([path[-len(wanted) :]]))
    return bool(tag_filter.matching(wanted, tail))
