"""CSV and TSV: a column with the picture's path beside the table, and columns with its label, its caption, or both."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from clip_model.evaluation.readers.examples import (
    CAPTION_FIELDS,
    LABEL_FIELDS,
    PICTURE_FIELDS,
    Item,
    Unreadable,
    file_example,
    first_of,
    said,
)


def read_table(table: Path) -> Iterator[Item]:
    """Read a table whose first line names the columns; tabs divide it if it is called .tsv, else commas.

    Paths are relative to the table's folder and lie below it. Several rows of one picture are several examples.

    Raises:
        ValueError: it is no table of that kind, with the line that is wrong.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            yield from _rows(table, file)
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} is no text in UTF-8 (byte {error.start} of a part): save it as UTF-8") from error


def _rows(table: Path, file: TextIO) -> Iterator[Item]:
    rows = csv.reader(file, delimiter="\t" if table.suffix.lower() == ".tsv" else ",", strict=True)
    try:
        header = next(rows, [])
        columns = dict.fromkeys(header)
        path, label, caption = (first_of(fields, columns) for fields in (PICTURE_FIELDS, LABEL_FIELDS, CAPTION_FIELDS))
        if path is None or (label is None and caption is None):
            raise ValueError(
                f"{table} names the columns {_shown(header)}. Expected one of {', '.join(PICTURE_FIELDS)}, and one of "
                f"{', '.join(LABEL_FIELDS + CAPTION_FIELDS)}"
            )
        for cells in rows:
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise ValueError(f"{table}, line {rows.line_num}: expected {len(header)} cells, got {len(cells)}")
            row = dict(zip(header, cells, strict=True))
            yield _item(table, rows.line_num, row[path], row.get(label or ""), row.get(caption or ""))
    except csv.Error as error:
        raise ValueError(f"{table}, line {rows.line_num}: {error}") from error


def _item(table: Path, line: int, path: str, label: str | None, caption: str | None) -> Item:
    if not path.strip():
        return Unreadable(f"line {line}", "the row names no picture")
    if "\0" in path:
        raise ValueError(f"{table}, line {line}: a path with a zero byte")
    whole = Path(table.parent, path)
    if ".." in whole.parts or not whole.is_relative_to(table.parent):
        raise ValueError(f"{table}, line {line}: {path!r} leads out of the table's folder. Keep pictures beside it")
    return file_example(whole, path, label="".join(said(label)), captions=said(caption))


def _shown(header: list[str]) -> str:
    return ", ".join(repr(name[:40]) for name in header[:8]) or "none"
