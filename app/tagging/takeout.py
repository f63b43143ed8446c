"""What Google Takeout's JSON files say of photos: people, albums, favourites, descriptions. Dates and places stay.

The files lie beside the photos, whose folder has to be in the library, and are called after them in several ways:
`a.jpg.json` or `a.jpg.supplemental-metadata.json`, cut to 46 characters; `(1)` stands at the end of the JSON's name
where it stands before the photo's suffix; a picture that was edited has the JSON of the first one. A bad file costs
itself.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from json import loads
from pathlib import Path
from typing import Any, NamedTuple

from app.tag_path import clean_path
from app.tagging.tag_import import ImportReport, TableError
from app.tagging.xmp.tag_entries import sound_text
from indexer.catalog.records import PhotoRecord
from indexer.catalog.tag_changes import Change, now
from indexer.catalog.tag_records import Decision, Edit, TagPath
from indexer.library import Library
from indexer.metadata.values import MAX_PARAGRAPH
from indexer.pictures.formats import SUFFIXES, VIDEO_SUFFIXES

ORIGIN = "takeout"
PEOPLE, ALBUM = "people", "album"
FAVOURITE = "5"  # stars
_MAX_BYTES = 1 << 20
_MAX_PEOPLE = 500
_CUT = 46  # characters of a JSON's name before ".json"
_MORE = ".supplemental-metadata"
_NUMBER = re.compile(r"(.*?)(\(\d+\))?", re.DOTALL)
_EDITED = re.compile(r"-(edited|bearbeitet|modifié|editado|editada|modificato|bewerkt|edytowane|redigerad|編集済み)\Z")
_YEAR = re.compile(r"Photos from \d{4}")  # a folder that is no album
_PHOTO = "photoTakenTime"  # is in the JSON of every photo, and of no album


class Said(NamedTuple):
    """What one JSON says."""

    tags: tuple[TagPath, ...]
    favourite: bool
    description: str


def from_takeout(library: Library, folder: Path, on_progress: Callable[[int, int], None]) -> ImportReport:
    """Take in what the JSON files below a folder say; what was decided or given here before stays.

    Raises:
        TableError: there is no such folder, or no photo of the library in it.
    """
    if not folder.is_dir():
        raise TableError(f"{folder} is no folder. Name the unpacked Takeout, or 'Google Photos' in it.")
    report, changes, done = ImportReport(), library.catalog.tags.changes(), 0

    def unread(error: OSError) -> None:
        report.refused.append((str(error.filename), f"it cannot be read: {error.strerror}"))

    for place, folders, names in os.walk(folder.absolute(), onerror=unread):
        folders.sort()
        done += _take(library, Path(place), sorted(names), report, changes)
        on_progress(done, 0)
    if not done and not report.refused:
        raise TableError(f"below {folder} lie no JSON files of Takeout's.")
    return report


def _take(library: Library, folder: Path, names: Sequence[str], report: ImportReport, changes: Sequence[Change]) -> int:
    """Take in one folder; gives how many JSON files of photos were in it."""
    jsons = {name.casefold(): name for name in names if name.casefold().endswith(".json")}
    read = {key: found for key, name in jsons.items() if (found := _read(folder / name, report)) is not None}
    album = next((title for found in read.values() if (title := _album(found))), None)
    of_photos = {key: _said(found) for key, found in read.items() if _PHOTO in found}
    used = set[str]()
    decisions: dict[tuple[int, TagPath], Decision] = {}
    edits: list[Edit] = []
    for name in names:
        if Path(name).suffix.lower() not in SUFFIXES | VIDEO_SUFFIXES:
            continue
        photo = library.catalog.photo_at(folder / name)
        key = next((key for key in _keys(name) if key in of_photos), None)
        if photo is None or (key is None and album is None):
            continue
        used |= {key} if key else set()
        said = of_photos.get(key or "", Said((), False, ""))
        tags = (*said.tags, *_tags(ALBUM, [album or ""]))
        report.read += len(tags) + said.favourite + bool(said.description)
        for path in tags:
            if (kept := now(path, changes)) is not None:
                decisions[photo.id, kept] = Decision(photo.id, kept, "accepted", ORIGIN)
        edits += _edits(photo, said)
    report.unknown += [str(folder / jsons[key]) for key in of_photos if key not in used]
    report.changed += library.catalog.tags.decide(list(decisions.values()), firm=False)
    report.changed += library.catalog.tags.edit(edits, firm=False)
    return len(of_photos)


def _keys(name: str) -> Iterator[str]:
    """The names that a photo's JSON may have, in lower case, the likeliest first."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122
    found = _NUMBER.fullmatch(stem)
    plain, number = (found[1], found[2] or "") if found else (stem, "")
    first = _EDITED.sub("", plain)
    for title, count in dict.fromkeys(((plain, number), (stem, ""), (first, number), (first, ""))):
        for whole in (f"{title}{suffix}{_MORE}", f"{title}{suffix}", title):
            yield f"{whole[:_CUT]}{count}.json".casefold()


def _read(file: Path, report: ImportReport) -> dict[str, Any] | None:
    """The object in a file; None where there is none, which the report says."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no ordinary file")
        if status.st_size > _MAX_BYTES:
            raise ValueError(f"it has {status.st_size:,} bytes, and Takeout's have a few thousand")
        found = loads(file.read_bytes())
    except OSError as error:
        report.refused.append((str(file), f"it cannot be read: {error.strerror}"))
        return None
    except RecursionError:
        report.refused.append((str(file), "it is nested too deeply"))
        return None
    except ValueError as error:
        report.refused.append((str(file), f"it is no JSON of Takeout's: {str(error)[:100]}"))
        return None
    if not isinstance(found, dict):
        report.refused.append((str(file), "it is no JSON of Takeout's: it holds no object"))
        return None
    return found


def _album(found: Mapping[str, Any]) -> str | None:
    """The album that a folder is, by the JSON of the folder itself."""
    title = found.get("title")
    if _PHOTO in found or not isinstance(title, str) or not title.strip() or _YEAR.fullmatch(title):
        return None
    return title


def _said(found: Mapping[str, Any]) -> Said:
    people = found.get("people")
    names = (
        [one.get("name") for one in people[:_MAX_PEOPLE] if isinstance(one, dict)] if isinstance(people, list) else []
    )
    description = found.get("description")
    text = sound_text(description).strip()[:MAX_PARAGRAPH] if isinstance(description, str) else ""
    return Said(tuple(_tags(PEOPLE, names)), found.get("favorited") is True, text)


def _tags(above: str, names: Sequence[Any]) -> Iterator[TagPath]:
    """A tag for each name that can be one."""
    for name in names:
        try:
            yield clean_path((above, name if isinstance(name, str) else ""))
        except ValueError:
            continue


def _edits(photo: PhotoRecord, said: Said) -> Iterator[Edit]:
    """What the photo's own file does not say; it would hide later changes there."""
    if said.favourite and str(photo.rating) != FAVOURITE:
        yield Edit(photo.id, "rating", FAVOURITE, ORIGIN)
    if said.description and said.description.split() != (photo.description or "").split():
        yield Edit(photo.id, "description", said.description, ORIGIN)
