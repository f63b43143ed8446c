"""Ratings, titles and descriptions that a person gives photos in the library; the files stay as they are.

They stand before what the files say, in every search and answer, and an export hands them on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.tagging.export import own_writes
from app.tagging.xmp.tag_entries import clean_name, sound_text
from indexer.catalog.tag_records import PERSON, Edit, EditField
from indexer.errors import PicsiftError
from indexer.library import Library
from indexer.metadata.values import MAX_LINE, MAX_PARAGRAPH

LONGEST = 10  # times as many characters as a text has at the end are cleaned of blanks and put together
FAVOURITE = 5  # stars, as `is:favourite` has it
NO_STARS = 0


class EditError(PicsiftError):
    """What was given to a photo cannot stand there, or cannot be taken back."""


def edit(library: Library, photo_ids: Sequence[int], given: Mapping[EditField, str]) -> int:
    """Give photos a rating (-1 to 5), a title or a description; gives how many of those are new.

    Raises:
        EditError: a text is empty or too long.
    """
    clean = {name: _clean(name, value) for name, value in given.items()}
    edits = [Edit(number, name, value, PERSON) for number in photo_ids for name, value in clean.items()]
    return library.catalog.tags.edit(edits)


def unfavour(library: Library, photo_ids: Sequence[int]) -> int:
    """Take the stars away from those of the photos that are favourites; gives how many were."""
    favourites = [photo.id for photo in library.catalog.photos(photo_ids) if photo.rating == FAVOURITE]
    return edit(library, favourites, {"rating": str(NO_STARS)})


def forget(library: Library, photos: Mapping[Path, int]) -> int:
    """Take back what was given to photos, so that their files have the word; gives how many had something.

    Raises:
        EditError: a file cannot be read now, or was changed since it was indexed.
        LibraryLockedError: another process writes to the library.
    """
    with library.writer_lock():
        found = own_writes.read_again(library, dict.fromkeys(photos.values()))
        unread = set(photos.values()) - {photo.photo_id for photo in found}
        for path, number in photos.items():
            if number in unread:
                raise EditError(f"{path} cannot be read as it was indexed. Run 'picsift index' and try again.")
        return library.catalog.tags.forget_edits(found)


def _clean(name: EditField, value: str) -> str:
    if name == "rating":
        return value
    most = MAX_LINE if name == "title" else MAX_PARAGRAPH
    if len(value) > LONGEST * most:
        raise EditError(f"a {name} has at most {most:,} characters; this one has {len(value):,}.")
    clean = clean_name(value) if name == "title" else sound_text(value).strip()
    if not clean:
        raise EditError(f"a {name} is more than blanks. To have no {name} from here, take back what was given.")
    if len(clean) > most:
        raise EditError(f"a {name} has at most {most:,} characters; this one has {len(clean):,}.")
    return clean
