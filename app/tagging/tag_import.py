"""Tags that come in: from the keywords of photos' own files, and from tables. What was decided here stays as it is."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any, cast

from app.tag_path import parse_path
from app.tagging.keyword_paths import SIDECAR, Sidecars, as_read_back, paths_of
from indexer.catalog.records import PhotoRecord
from indexer.catalog.tag_changes import now
from indexer.catalog.tag_records import Decision, TagPath, TagState
from indexer.errors import PicsiftError
from indexer.library import Library

AT_A_TIME = 1_000
TABLE = "table"  # the origin of rows that name none
_DECIDED = ("accepted", "rejected")
_NEEDED = ("path", "tag")
_HEAD = 10_000_000  # characters of the line with the names of the columns


class TableError(PicsiftError):
    """A file of tags cannot be read."""


@dataclass
class ImportReport:
    """What an import did.

    Attributes:
        read: tags that were found, each on one photo.
        changed: those that were new here.
        unknown: paths of no photo of the library.
        refused: where, and why, of what could not be read.
    """

    read: int = 0
    changed: int = 0
    unknown: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def from_keywords(library: Library, on_progress: Callable[[int, int], None]) -> ImportReport:
    """Accept the keywords that photos' files name, as the last run of the indexer read them, and those of sidecars.

    Sidecars are read anew, since the catalog does not hold which of their lists a keyword is from. What a person
    renamed or merged is taken in as what it is now, and what was deleted is not. People in regions and albums come in
    from sidecars too, as people/NAME and album/NAME.
    """
    changes = library.catalog.tags.changes()
    report, catalog, sidecars = ImportReport(), library.catalog, Sidecars()
    ids, named = catalog.tags.with_keywords(), _read_as(catalog.tags.paths().values())
    for start in range(0, len(ids), AT_A_TIME):
        part = ids[start : start + AT_A_TIME]
        words, known = catalog.tags.keywords(part), catalog.tags.of(part)
        decisions = []
        for photo in catalog.photos(part):
            beside = sidecars.said(photo.path)
            others = [word for word in words.get(photo.id, ()) if beside is None or word.source != SIDECAR]
            decided = {as_read_back(tag.path) for tag in known.get(photo.id, ()) if tag.state in _DECIDED}
            found = paths_of(others, *(beside or ()))
            report.read += len(found)
            for path, origin in found.items():
                kept = now(path, changes)
                if kept is not None and as_read_back(kept) not in decided:
                    decisions.append(Decision(photo.id, named.get(kept, kept), "accepted", origin))
        report.changed += catalog.tags.decide(decisions, firm=False)
        on_progress(start + len(part), len(ids))
    return report


def _read_as(paths: Iterable[TagPath]) -> dict[TagPath, TagPath]:
    """The tags that come back as another one, which is no tag itself: by that other one."""
    known = set(paths)
    changed = {back: path for path in known if (back := as_read_back(path)) is not None and back != path}
    return {back: path for back, path in changed.items() if back not in known}


def from_table(library: Library, file: Path, on_progress: Callable[[int, int], None]) -> ImportReport:
    """Take the decisions of a table that `picsift export --table` wrote, or any with the columns path and tag.

    `state` is accepted where there is no such column; suggestions are a model's, and are left out.

    Raises:
        TableError: the file is no such table or cannot be read.
    """
    report, done = ImportReport(), 0
    try:
        rows = iter(_rows(file))
        while part := list(islice(rows, AT_A_TIME)):
            _take(library, part, report, done)
            done += len(part)
            on_progress(done, 0)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TableError(f"{file} cannot be read as a table of tags: {said}.") from error
    return report


def _take(library: Library, rows: list[dict[str, Any]], report: ImportReport, before: int) -> None:
    photos = {path: _photo_at(library, path) for path in {str(row.get("path") or "") for row in rows} if path}
    decisions: dict[tuple[int, TagPath], Decision] = {}
    for number, row in enumerate(rows, start=before + 1):
        state = str(row.get("state") or "accepted")
        if state not in _DECIDED:
            if state != "suggested":
                report.refused.append((f"row {number}", f"{state!r} is no state; accepted and rejected are"))
            continue
        photo = photos.get(str(row.get("path") or ""))
        if photo is None:
            report.unknown.append(str(row.get("path") or ""))
            continue
        try:
            path = parse_path(str(row.get("tag") or ""))
        except ValueError as error:
            report.refused.append((f"row {number}", str(error)))
            continue
        report.read += 1
        origin = str(row.get("origin") or TABLE)
        decisions[photo.id, path] = Decision(photo.id, path, cast(TagState, state), origin)
    report.changed += library.catalog.tags.decide(list(decisions.values()), firm=False)


def _photo_at(library: Library, path: str) -> PhotoRecord | None:
    try:
        return library.catalog.photo_at(Path(path))
    except ValueError:  # no file can be called so
        return None


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """A row for each tag, whatever the format."""
    match file.suffix.lower():
        case ".csv" | ".tsv":
            yield from _csv(file)
        case ".jsonl" | ".ndjson":
            yield from _lines(file)
        case ".parquet":
            yield from _parquet(file)
        case other:
            raise ValueError(f"{other or 'no suffix'!r} is no format of a table; .csv, .tsv, .jsonl and .parquet are")


def _csv(file: Path) -> Iterator[dict[str, Any]]:
    """As spreadsheets write it, too: in UTF-16, with semicolons or tabs, with a line that says so (`sep=;`) above."""
    with file.open("rb") as start:
        wide = start.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    coding, errors = ("utf-16", "strict") if wide else ("utf-8-sig", "surrogateescape")
    with file.open(encoding=coding, errors=errors, newline="") as text:
        head = text.readline(_HEAD)
        if head.lower().startswith("sep="):
            head = text.readline(_HEAD)
        usual = "\t" if file.suffix.lower() == ".tsv" else ","
        heads = ((mark, next(csv.reader([head], delimiter=mark), [])) for mark in (usual, *",;\t"))
        marks = (mark for mark, names in heads if set(_NEEDED) <= set(_columns(names)))
        reader = csv.DictReader(chain([head], text), delimiter=next(marks, usual), strict=True)
        reader.fieldnames = _columns(reader.fieldnames or ())
        _require(reader.fieldnames)
        yield from reader


def _columns(names: Iterable[str]) -> list[str]:
    """What columns are called; where those that have to be there are not, all may be written with capitals."""
    plain = [name.strip() for name in names]
    return plain if set(_NEEDED) <= set(plain) else [name.lower() for name in plain]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8-sig") as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                photo = loads(line)
            except (RecursionError, JSONDecodeError) as error:
                raise ValueError(f"line {number} is no JSON ({error})") from error
            if not isinstance(photo, dict) or not isinstance(photo.get("tags"), list):
                raise ValueError(f"line {number} is no photo with a list of tags")
            for tag in photo["tags"]:
                yield {"path": photo.get("path"), **(tag if isinstance(tag, dict) else {"tag": tag})}


def _parquet(file: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ValueError("Parquet needs pyarrow, which is not installed; pip install pyarrow") from error
    table = parquet.ParquetFile(file)
    _require(table.schema_arrow.names)
    for part in table.iter_batches(AT_A_TIME):
        yield from part.to_pylist()


def _require(columns: Iterable[str]) -> None:
    if missing := set(_NEEDED).difference(columns):
        raise ValueError(f"it has no column {' and none '.join(sorted(missing))}")
