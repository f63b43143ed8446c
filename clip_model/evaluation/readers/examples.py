"""What every reader yields: a picture's bytes with what is said of it, or what could not be read and why.

Readers are generators that hold one example at a time; they decode nothing and write nothing. What is wrong with one
picture is an `Unreadable`; what is wrong with a file of many is a ValueError of one sentence.
"""

from __future__ import annotations

import errno
import math
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_PICTURE_BYTES = 256 << 20  # several are held at once
MAX_TEXT_BYTES = 1 << 20  # of a caption, a label or a document beside a picture
PICTURE_FIELDS = ("image", "filepath", "path", "file", "filename", "image_path", "file_name")
LABEL_FIELDS = ("label", "class", "class_name", "cls")
CAPTION_FIELDS = ("captions", "caption", "title", "text")
"""What a column or a key is called, the likeliest first; case does not matter."""
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


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
    """The example of a picture that is a file of its own.

    Raises:
        OSError: the system has no more files or memory to give, of which nothing follows about the picture.
    """
    try:
        return Example(name, _bytes_of(path), path.suffix.lower(), label, captions)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _SHORTAGES:
            raise
        return Unreadable(name, getattr(error, "strerror", None) or str(error))


def first_of(fields: Iterable[str], there: Mapping[str, object]) -> str | None:
    """The first of the names that is there, as it is spelt there; None where none is."""
    spelt = {name.strip().lower(): name for name in reversed(list(there))}
    return next((spelt[field] for field in fields if field in spelt), None)


def label_in(value: object) -> str:
    """The label that a value of a column or a document is; "" where it is none, NaN or empty.

    Raises:
        ValueError: it is no label: several, a structure, a broken number, bytes that are no text.
    """
    if isinstance(value, list | tuple) and len(value) < 2:
        return label_in(value[0]) if value else ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        if value.is_integer():  # a column of numbers in which some are missing
            return str(int(value))
    if value is None or isinstance(value, str | bytes | int):
        return _text_of(value)
    what = f"a list of {len(value)}" if isinstance(value, list | tuple) else f"of the kind {type(value).__name__}"
    raise ValueError(f"its label is {what}; a picture has one, a text or a whole number")


def captions_in(value: object) -> tuple[str, ...]:
    """The captions of a value: a text, a list of them, structures with the key "raw", or nothing.

    Raises:
        ValueError: it is none of these.
    """
    found = []
    for one in value if isinstance(value, list | tuple) else [value]:
        text = one.get("raw") if isinstance(one, dict) else one
        if isinstance(text, float) and math.isnan(text):
            continue
        if (isinstance(one, dict) and text is None) or not (text is None or isinstance(text, str | bytes)):
            raise ValueError(f"a caption is of the kind {type(one).__name__}; expected a text, or a list of texts")
        found.append(_text_of(text))
    return tuple(text for text in found if text)


def _text_of(value: str | bytes | int | None) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise ValueError("its label or a caption is of bytes that are no text in UTF-8") from None
    text = "" if value is None else str(value).strip()
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"its label or a caption is longer than {MAX_TEXT_BYTES:,} characters")
    return text


def _bytes_of(path: Path) -> bytes:
    # Without waiting: a pipe among the pictures would never end.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_size > MAX_PICTURE_BYTES:
            raise ValueError(f"the file is larger ({status.st_size:,} bytes) than the bound of {MAX_PICTURE_BYTES:,}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(status.st_size)
    finally:
        os.close(descriptor)
