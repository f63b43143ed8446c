"""Parquet files: a column with the picture's bytes, and columns with its label, its captions, its source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_model.evaluation.readers.examples import (
    CAPTION_FIELDS,
    LABEL_FIELDS,
    Example,
    Item,
    Unreadable,
    first_of,
    said,
)

_ROWS_AT_ONCE = 64
_PICTURES = ("image", "picture", "jpg", "png")


def read_parquet(path: Path) -> Iterator[Item]:
    """Read a Parquet file; a picture is bytes, or a structure with bytes as Hugging Face's data sets have it.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: it is no Parquet file, or lacks the columns.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("reading Parquet files needs pyarrow: pip install 'picsift[train]'") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            picture, label, captions = _columns(path, names)
            wanted = [name for name in (picture, label, captions, "source") if name in names]
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield _item(f"{path.name}, row {number}", row, picture, label, captions)
    except (pyarrow.ArrowException, OSError, MemoryError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {' '.join(str(error).split())[:300]}") from error


def _columns(path: Path, names: list[str]) -> tuple[str, str | None, str | None]:
    there = dict.fromkeys(names)
    picture, label, captions = (first_of(fields, there) for fields in (_PICTURES, LABEL_FIELDS, CAPTION_FIELDS))
    if picture is None or (label is None and captions is None):
        raise ValueError(
            f"{path} has the columns {', '.join(map(repr, names[:12]))}. Expected one of {', '.join(_PICTURES)}, and "
            f"one of {', '.join(LABEL_FIELDS + CAPTION_FIELDS)}"
        )
    return picture, label, captions


def _item(name: str, row: dict[str, Any], picture: str, label: str | None, captions: str | None) -> Item:
    data = row[picture]
    if isinstance(data, dict):
        data = data.get("bytes")
    if not isinstance(data, bytes):
        return Unreadable(name, "the row holds no picture")
    return Example(
        name,
        data,
        label=" ".join(said(row.get(label or ""))),
        captions=said(row.get(captions or "")),
        source=" ".join(said(row.get("source"))),
    )
