"""Raw values of metadata made sound: text, numbers, and the ranges they have to lie in. Pure; nothing raises."""

import math
from contextlib import suppress
from typing import Any

MAX_ALTITUDE_M = 100_000
MAX_EXPOSURE_S, MAX_F_NUMBER, MAX_FOCAL_MM, MAX_ISO = 1e6, 1e3, 1e5, 100_000_000
MAX_LINE = 200
MAX_PARAGRAPH = 5_000
_PLACEHOLDERS = frozenset(("", "-", "--", "---", "----", "unknown", "none", "n/a", "default"))
_FILLED_IN = frozenset(
    (
        *(
            "olympus digital camera",
            "sony dsc",
            "minolta dsc",
            "konica minolta digital camera",
            "digital camera",
            "dcim",
        ),
        *("exif_jpeg_picture", "exif jpeg", "kodak digital still camera", "samsung digital camera", "binary comment"),
    )
)
"""Descriptions that cameras write by themselves."""


def line(value: Any, limit: int = MAX_LINE) -> str | None:
    """A clean line: what comes before the first NUL, as UTF-8 where it is, without controls and padding."""
    if isinstance(value, str):
        latin = value.isascii() or max(value) <= "\xff"
        with suppress(UnicodeEncodeError):  # a surrogate that stands for no byte
            value = value.encode("latin-1") if latin else value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        value = decoded(value)
    if not isinstance(value, str):
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
    text = value.split("\0", 1)[0][: 4 * limit]  # before the work: a value may hold megabytes
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    found = " ".join(printable.split())[:limit].strip()
    return None if found.casefold() in _PLACEHOLDERS else found


def paragraph(value: Any) -> str | None:
    """A longer line(), unless a camera wrote it by itself."""
    found = line(value, MAX_PARAGRAPH)
    return None if found and found.casefold() in _FILLED_IN else found


def decoded(value: bytes) -> str:
    """Bytes as UTF-8, or as Latin-1 where they are not."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def without_make(make: str | None, model: str | None) -> str | None:
    """The model without the make, or the make's first word, that many cameras repeat in front of it."""
    for prefix in (make, make.split()[0]) if make and model else ():
        if model and model.casefold().startswith(prefix.casefold() + " "):
            return model[len(prefix) :].strip() or model
    return model


def number(value: Any) -> float | None:
    """A finite number, of "28/10" too; a rational of denominator 0 is none."""
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    try:
        if isinstance(value, str) and "/" in value:
            above, below = value[:40].split("/", 1)
            found = float(above) / float(below)
        else:
            found = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def positive(value: Any, most: float) -> float | None:
    """A number above 0, at most `most`, to six significant digits."""
    found = number(value)
    return float(f"{found:.6g}") if found is not None and 0 < found <= most else None


def whole(value: Any, least: int, most: int) -> int | None:
    """A whole number in a range."""
    found = number(value)
    return int(found) if found is not None and found == int(found) and least <= found <= most else None


def rating_of_percent(value: Any) -> int | None:
    """Stars out of Microsoft's percentage, of which 1, 25, 50, 75 and 99 stand for one to five."""
    percent = whole(value, 0, 100)
    return None if percent is None else sum(percent >= least for least in (1, 13, 38, 63, 88))
