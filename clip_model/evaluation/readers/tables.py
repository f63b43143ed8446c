"""CSV and TSV: a column with the picture's path beside the table, and columns with its label, its caption, or both."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TextIO

from clip_model.evaluation.readers.examples import (
    CAPTION_FIELDS,
    LABEL_FIELDS,
    PICTURE_FIELDS,
    Item,
    Unreadable,
    captions_in,
    file_example,
    first_of,
    label_in,
)

_MOST_CHARACTERS = 1 << 20  # of a row
_MOST_BYTES = 2 << 30  # of a table, which is held until its rows are sorted by picture


@dataclass
class _Picture:
    """What all rows of one picture say; `labelled` is the line that gave the label."""

    name: str
    label: str = ""
    labelled: int = 0
    captions: list[str] = field(default_factory=list)


def read_table(table: Path) -> Iterator[Item]:
    """Read a table whose first line names the columns; tabs divide it if it is called .tsv, else commas.

    Paths lie below the table's folder. Rows of one picture are one example with all their captions, in the place of
    the first of them; so the whole table is read before the first picture.

    Raises:
        ValueError: it is no table of that kind, or labels a picture in two ways, with the line that is wrong.
    """
    if (size := table.stat().st_size) > _MOST_BYTES:
        raise ValueError(f"{table} is larger ({size:,} bytes) than the bound of {_MOST_BYTES:,}. Split it")
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            pictures = _pictures(table, file)
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} is no text in UTF-8 (byte {error.start} of a part): save it as UTF-8") from error
    for path, picture in pictures.items():
        if isinstance(path, Path):
            yield file_example(path, picture.name, label=picture.label, captions=tuple(picture.captions))
        else:
            yield Unreadable(picture.name, "the row names no picture")


class _Lines(Iterator[str]):
    """The lines of a table. Who reads says `next_row` after each row, which may be of so many characters."""

    def __init__(self, table: Path, file: TextIO) -> None:
        """Start at the file's beginning."""
        self._table, self._file, self._read = table, file, 0
        self.next_row()

    def next_row(self) -> None:
        """Give the next row all its room."""
        self._room = _MOST_CHARACTERS

    def __next__(self) -> str:
        line = self._file.readline(self._room + 1)
        self._read += 1
        self._room -= len(line)
        if self._room < 0:
            raise ValueError(f"{self._table}, line {self._read}: a row is longer than {_MOST_CHARACTERS:,} characters")
        if not line:
            raise StopIteration
        return line


def _pictures(table: Path, file: TextIO) -> dict[Path | int, _Picture]:
    """What is said of each picture by its path; of a row without one by its line."""
    lines = _Lines(table, file)
    rows = csv.reader(lines, delimiter="\t" if table.suffix.lower() == ".tsv" else ",", strict=True)
    pictures: dict[Path | int, _Picture] = {}
    try:
        header = next(rows, [])
        path, label, caption = _columns(table, header)
        for cells in rows:
            lines.next_row()
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise ValueError(f"{table}, line {rows.line_num}: expected {len(header)} cells, got {len(cells)}")
            row = dict(zip(header, cells, strict=True))
            where = f"{table}, line {rows.line_num}"
            if not row[path].strip():
                pictures[rows.line_num] = _Picture(f"line {rows.line_num}")
                continue
            at = _within(table, row[path], where)
            picture = pictures.setdefault(at, _Picture(row[path]))
            _add(picture, label_in(row.get(label or "")), captions_in(row.get(caption or "")), where, rows.line_num)
    except csv.Error as error:
        raise ValueError(f"{table}, line {rows.line_num}: {error}") from error
    return pictures


def _columns(table: Path, header: list[str]) -> tuple[str, str | None, str | None]:
    names = dict.fromkeys(header)
    path, label, caption = (first_of(fields, names) for fields in (PICTURE_FIELDS, LABEL_FIELDS, CAPTION_FIELDS))
    if path is None or (label is None and caption is None):
        raise ValueError(
            f"{table} names the columns {_shown(header)}. Expected one of {', '.join(PICTURE_FIELDS)}, and one of "
            f"{', '.join(LABEL_FIELDS + CAPTION_FIELDS)}"
        )
    spelt = [name.strip().lower() for name in header]
    for name in (path, label, caption):
        if name is not None and spelt.count(name.strip().lower()) > 1:
            raise ValueError(f"{table} has several columns {name[:40]!r}. Expected one")
    return path, label, caption


def _within(table: Path, path: str, where: str) -> Path:
    """The path of a picture that lies below the table's folder, the same however it is spelt."""
    if "\0" in path:
        raise ValueError(f"{where}: a path with a zero byte")
    below = PurePath(path)
    if below.is_absolute():
        for folder in (PurePath(os.path.normpath(table.parent.absolute())), table.parent.resolve()):
            if below.is_relative_to(folder):
                below = below.relative_to(folder)
                break
    if ".." in below.parts or below.is_absolute():
        raise ValueError(f"{where}: {path!r} leads out of the table's folder. Keep pictures beside it")
    return table.parent / below


def _add(picture: _Picture, label: str, captions: tuple[str, ...], where: str, line: int) -> None:
    if label and picture.label and label != picture.label:
        raise ValueError(
            f"{where}: the label {label[:80]!r} of {picture.name[:200]!r}, which is {picture.label[:80]!r} in line "
            f"{picture.labelled}"
        )
    if label and not picture.label:
        picture.label, picture.labelled = label, line
    picture.captions.extend(captions)


def _shown(header: list[str]) -> str:
    return ", ".join(repr(name[:40]) for name in header[:8]) or "none"
