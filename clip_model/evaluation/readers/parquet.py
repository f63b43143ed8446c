"""Parquet files: a column with the picture's bytes, and columns with its label, its captions, its source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clip_model.evaluation.readers.examples import (
    CAPTION_FIELDS,
    LABEL_FIELDS,
    MAX_PICTURE_BYTES,
    Example,
    Item,
    Unreadable,
    captions_in,
    first_of,
    label_in,
)

_ROWS_AT_ONCE = 1  # a few bytes of a file can stand for as many pictures as a batch has, each of any size
_SOURCE = "source"
_PICTURES = ("image", "picture", "jpg", "png")


def has_sources(path: Path) -> bool:
    """Whether a Parquet file says of each row which source it is of; raises as `read_parquet`."""
    with _opened(path) as file:
        return _SOURCE in file.schema_arrow.names


def read_parquet(path: Path) -> Iterator[Item]:
    """Read a Parquet file; a picture is bytes, or a structure with bytes as Hugging Face's data sets have it.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: it is no Parquet file, or lacks the columns.
    """
    with _opened(path) as file:
        names = list(file.schema_arrow.names)
        picture, label, captions = _columns(path, names)
        wanted = [name for name in (picture, label, captions, _SOURCE) if name in names]
        number = 0
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
            for row in batch.to_pylist():
                number += 1
                yield _item(f"{path.name}, row {number}", row, picture, label, captions)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A pyarrow.parquet.ParquetFile; what goes wrong with it meanwhile is one sentence."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("reading Parquet files needs pyarrow: pip install 'picsift[train]'") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
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
    if len(data) > MAX_PICTURE_BYTES:
        return Unreadable(name, f"the picture is larger ({len(data):,} bytes) than the bound of {MAX_PICTURE_BYTES:,}")
    try:
        return Example(
            name,
            data,
            label=label_in(row.get(label or "")),
            captions=captions_in(row.get(captions or "")),
            source=label_in(row.get(_SOURCE)),
        )
    except ValueError as error:
        return Unreadable(name, str(error))
