"""Latitudes and longitudes as programs write them in text. What is out of its range is unknown, never wrong. Pure."""

from __future__ import annotations

import re

_PART = r"(\d{1,20}(?:\.\d{1,20})?)"
_FORM = re.compile(rf"([+-]?){_PART}(?:,{_PART})?(?:,{_PART})?,?([A-Z]?)", re.ASCII)
_MARKS = str.maketrans(dict.fromkeys("°º'′’\"″” \t\u00a0", ",") | {"−": "-"})


def degrees_of(text: str | None, letters: str, limit: int, side: str | None = None) -> float | None:
    """Degrees, north and east positive: of "40,14.5N", of "40,14,30N", of "40.24" with a letter elsewhere, of "-40.24".

    Args:
        text: as it is written. A comma is a decimal sign where it can be nothing else: in "40,14,584N".
        letters: of the two sides, the positive first.
        limit: the most that there can be.
        side: a letter in a field of its own.
    """
    plain = re.sub(r",+", ",", (text or "").strip()[:100].upper().translate(_MARKS))
    if (found := _FORM.fullmatch(plain)) is None:
        return None
    sign, *parts, letter = found.groups()
    named = {one for one in (letter, (side or "").strip()[:1].upper()) if one}
    if len(named) > 1 or not named <= set(letters) or (sign == "-" and named == {letters[0]}):
        return None
    degrees = _sum([part for part in parts if part is not None], limit)
    if degrees is None or (not sign and not named and parts[1] is not None):  # parts without a side are half of a form
        return None
    return 0.0 - degrees if sign == "-" or named == {letters[1]} else degrees


def _sum(parts: list[str], limit: int) -> float | None:
    """Degrees with their minutes and seconds; only the last may have a fraction, and none reaches the next."""
    for written in (parts, [*parts[:-2], ".".join(parts[-2:])] if len(parts) > 1 else []):
        if not written or any("." in part for part in written[:-1]) or written[-1].count(".") > 1:
            continue
        numbers = [float(part) for part in written]
        if all(number < 60 for number in numbers[1:]):
            degrees = sum(number / unit for number, unit in zip(numbers, (1, 60, 3600), strict=False))
            return degrees if degrees <= limit else None
    return None
