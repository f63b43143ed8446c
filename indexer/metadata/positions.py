"""Latitudes and longitudes as programs write them in text. What is out of its range is unknown, never wrong. Pure."""

from __future__ import annotations

import re

_PART = r"(\d{1,20}(?:\.\d{1,20})?)"
_FORM = re.compile(rf"(?:([A-Z]),?)?([+-]?){_PART}(?:,{_PART})?(?:,{_PART})?(?:,(\d{{1,20}}))?,?([A-Z]?)", re.ASCII)
_UNITS = "°º'′’\"″”"
_MARKS = str.maketrans(dict.fromkeys(f"{_UNITS} \t\u00a0", ",") | {"−": "-"})
_FRACTION = re.compile(rf"(\d),(\d+\s*[{_UNITS}])", re.ASCII)  # the mark behind it says what a number is of
_TWO_NUMBERS = re.compile(r"\d,\d", re.ASCII)


def degrees_of(text: str | None, letters: str, limit: int, side: str | None = None) -> float | None:
    """Degrees, north and east positive: of "40,14.5N", of "40,14,30N", of "40.24" with a letter elsewhere, of "-40.24".

    Args:
        text: as it is written. A comma is a decimal sign where it can be nothing else: in "40,14,584N" and "40°14,5'N".
        letters: of the two sides, the positive first.
        limit: the most that there can be.
        side: a letter in a field of its own.
    """
    written = _FRACTION.sub(r"\1.\2", (text or "").strip()[:100].upper().replace("DEG", "°"))
    if not set(_UNITS).isdisjoint(written) and _TWO_NUMBERS.search(written):
        return None
    plain = re.sub(r",+", ",", written.translate(_MARKS))
    if (found := _FORM.fullmatch(plain)) is None:
        return None
    before, sign, *parts, behind = found.groups()
    named = {one for one in (before, behind, (side or "").strip()[:1].upper()) if one}
    if len(named) > 1 or not named <= set(letters) or (sign == "-" and named == {letters[0]}):
        return None
    degrees = _sum([part for part in parts if part is not None], limit)
    if degrees is None or (not sign and not named and parts[1] is not None):  # parts without a side are half of a form
        return None
    return 0.0 - degrees if sign == "-" or named == {letters[1]} else degrees


def _sum(parts: list[str], limit: int) -> float | None:
    """Degrees with their minutes and seconds; only the last may have a fraction, and none reaches the next.

    The last of them may be the fraction of the one before, where it can be nothing else.
    """
    for written in (parts, [*parts[:-2], ".".join(parts[-2:])] if len(parts) > 1 else []):
        if not 1 <= len(written) <= 3 or any("." in part for part in written[:-1]) or written[-1].count(".") > 1:
            continue
        numbers = [float(part) for part in written]
        if all(number < 60 for number in numbers[1:]):
            degrees = sum(number / unit for number, unit in zip(numbers, (1, 60, 3600), strict=False))
            return degrees if degrees <= limit else None
    return None
