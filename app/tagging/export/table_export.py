"""Tags as tables for scripts: CSV, JSON Lines and Parquet, streamed. It reads the catalog and opens no photo."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import islice
from json import dumps
from pathlib import Path
from typing import Any, TextIO

from app.tag_path import path_text
from app.tagging.export import safe_write
from app.tagging.export.way_back import ExportError
from indexer.catalog.records import PhotoRecord
from indexer.catalog.tag_records import PhotoTag
from indexer.library import Library

PHOTOS_AT_A_TIME = 1_000
ROWS_AT_A_TIME = 10_000
OF_TAG = ("tag", "state", "confidence", "score", "origin", "model", "changed_at")
OF_PHOTO = (
    *("path", "taken_at", "taken_offset_min", "latitude", "longitude", "city", "region", "country"),
    *("camera_make", "camera_model", "lens", "rating", "title", "description"),
)
COLUMNS = (OF_PHOTO[0], *OF_TAG, *OF_PHOTO[1:])
"""One row for each tag of each photo; JSON Lines has one line for each photo, with its tags in a list."""
_NUMBERS = {"confidence", "score", "latitude", "longitude"}
_WHOLE = {"taken_offset_min", "rating"}

Row = dict[str, Any]


class Table(StrEnum):
    """The formats."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


def write(library: Library, kind: Table, target: Path, on_progress: Callable[[int, int], None]) -> int:
    """Write the tags of all photos to a file that is not there yet; gives how many photos have some.

    Raises:
        ExportError: the file is there already or cannot be written, or pyarrow is not installed.
    """
    if target.exists():
        raise ExportError(f"{target} is there already. Name another file, or move it away.")
    partial = target.with_name(f"{safe_write.PREFIX}{target.name}.tmp")
    count = 0

    def photos() -> Iterator[Row]:
        nonlocal count
        for row in _photos(library):
            count += 1
            on_progress(count, 0)
            yield row

    try:
        {Table.csv: _csv_file, Table.jsonl: _lines_file, Table.parquet: _parquet_file}[kind](partial, photos())
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return count


def stream(library: Library, kind: Table, out: TextIO) -> None:
    """Write the tags of all photos as text.

    Raises:
        ExportError: the format is no text.
    """
    if kind is Table.parquet:
        raise ExportError("Parquet is no text. Name a file with --output.")
    (_csv if kind is Table.csv else _lines)(out, _photos(library))


def _photos(library: Library) -> Iterator[Row]:
    """Each photo that has a tag in any state, with its tags."""
    ids = library.catalog.tags.tagged()
    for start in range(0, len(ids), PHOTOS_AT_A_TIME):
        part = ids[start : start + PHOTOS_AT_A_TIME]
        tags = library.catalog.tags.of(part)
        for photo in library.catalog.photos(part):
            yield _photo(photo) | {"tags": [_tag(tag) for tag in tags.get(photo.id, ())]}


def _photo(photo: PhotoRecord) -> Row:
    row = {name: getattr(photo, name) for name in OF_PHOTO}
    return row | {"path": str(photo.path), "taken_at": photo.taken_at and photo.taken_at.isoformat()}


def _tag(tag: PhotoTag) -> Row:
    known = {name: getattr(tag, name) for name in OF_TAG if name not in ("tag", "changed_at")}
    judged = {name: None if known[name] is None else round(known[name], 6) for name in ("confidence", "score")}
    return {"tag": path_text(tag.path)} | known | judged | {"changed_at": tag.changed_at.isoformat(timespec="seconds")}


def _flat(photos: Iterator[Row]) -> Iterator[Row]:
    for photo in photos:
        for tag in photo["tags"]:
            yield {name: tag[name] if name in tag else photo[name] for name in COLUMNS}


def _csv_file(path: Path, photos: Iterator[Row]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        _csv(file, photos)


def _lines_file(path: Path, photos: Iterator[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        _lines(file, photos)


def _csv(file: TextIO, photos: Iterator[Row]) -> None:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_flat(photos))


def _lines(file: TextIO, photos: Iterator[Row]) -> None:
    for photo in photos:
        file.write(dumps(photo, allow_nan=False) + "\n")


def _parquet_file(path: Path, photos: Iterator[Row]) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ExportError("Parquet needs pyarrow, which is not installed. Install it: pip install pyarrow") from error
    numbers = {name: pa.float64() for name in _NUMBERS} | {name: pa.int32() for name in _WHOLE}
    schema = pa.schema([(name, numbers.get(name, pa.string())) for name in COLUMNS])
    rows = _flat(photos)
    with parquet.ParquetWriter(path, schema) as writer:
        while part := list(islice(rows, ROWS_AT_A_TIME)):
            writer.write_table(pa.Table.from_pylist([_text(row) for row in part], schema))


def _text(row: Row) -> Row:
    """A row whose texts are valid: bytes of a name that is no UTF-8 become U+FFFD, since Parquet holds nothing else."""
    return {
        name: os.fsencode(value).decode(errors="replace") if isinstance(value, str) else value
        for name, value in row.items()
    }
