"""What every reader yields: a picture's bytes with what is said of it, or what could not be read and why.

Readers are generators that hold one example at a time; they decode nothing and write nothing. What is wrong with one
picture is an `Unreadable`; what is wrong with a file of many is a ValueError of one sentence.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_PICTURE_BYTES = 2 << 30  # as indexing has it
MAX_TEXT_BYTES = 1 << 20  # of a caption, a label or a document beside a picture
PICTURE_FIELDS = ("image", "filepath", "path", "file", "filename", "image_path", "file_name")
LABEL_FIELDS = ("label", "class", "class_name", "cls")
CAPTION_FIELDS = ("captions", "caption", "title", "text")
"""What a column or a key is called, the likeliest first; case does not matter."""


@dataclass(frozen=True)
class Example:
    """One picture.

    Attributes:
        name: where it stands, for messages.
        picture: the bytes of its file.
        suffix: of its file's name in lower case, with the dot; "" where it has none.
        label: its class; "" where nobody says.
        captions: sentences about it.
        source: which part of the data set it belongs to; each is measured alone.
    """

    name: str
    picture: bytes
    suffix: str = ""
    label: str = ""
    captions: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Unreadable:
    """A picture that takes no part, and the reason."""

    name: str
    reason: str


Item = Example | Unreadable


def file_example(path: Path, name: str, *, label: str = "", captions: tuple[str, ...] = ()) -> Item:
    """The example of a picture that is a file of its own."""
    try:
        return Example(name, _bytes_of(path), path.suffix.lower(), label, captions)
    except (OSError, ValueError) as error:
        return Unreadable(name, getattr(error, "strerror", None) or str(error))


def first_of(fields: Iterable[str], there: Mapping[str, object]) -> str | None:
    """The first of the names that is there, as it is spelt there; None where none is."""
    spelt = {name.strip().lower(): name for name in reversed(list(there))}
    return next((spelt[field] for field in fields if field in spelt), None)


def said(value: object) -> tuple[str, ...]:
    """The sentences of a value: a text, several, or nothing."""
    if isinstance(value, list | tuple):
        return tuple(text for one in value for text in said(one))
    text = "" if value is None else str(value).strip()
    return (text,) if text else ()


def _bytes_of(path: Path) -> bytes:
    # Without waiting: a pipe among the pictures would never end.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_size > MAX_PICTURE_BYTES:
            raise ValueError(f"the file is larger ({status.st_size:,} bytes) than the bound of {MAX_PICTURE_BYTES:,}")
        return file.read(status.st_size)
