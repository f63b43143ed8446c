r"""A tag's place in the hierarchy, as text and as levels: 'animal/dog' <-> ('animal', 'dog'). Pure.

A slash within a name is written `\/`, a backslash `\\`. It knows no vocabulary and no photo.
"""

import unicodedata
from collections.abc import Iterable

MAX_LEVELS = 8
MAX_NAME = 200  # characters of one level
LONGEST = 10 * MAX_NAME * MAX_LEVELS  # characters that are looked at: to compose a row of accents takes its square

_FORBIDDEN = {"Cc": "control character", "Cs": "broken character", "Zl": "line break", "Zp": "line break"}


def parse_path(text: str) -> tuple[str, ...]:
    """Split a path into its levels, each normalised as `clean_name` does.

    Raises:
        ValueError: if a level is empty or unusable, there are too many, or a backslash stands before another character.
    """
    _expect_short(text)
    return clean_path(_split(text))


def path_text(path: Iterable[str]) -> str:
    """Write levels as text that `parse_path` reads back.

    Raises:
        ValueError: as `clean_path` does.
    """
    return "/".join(name.replace("\\", "\\\\").replace("/", "\\/") for name in clean_path(path))


def clean_path(levels: Iterable[str]) -> tuple[str, ...]:
    """Normalise levels.

    Raises:
        ValueError: if there are none or more than MAX_LEVELS, or a name is unusable.
    """
    path = tuple(clean_name(level) for level in levels)
    if not 1 <= len(path) <= MAX_LEVELS:
        raise ValueError(f"a tag has 1 to {MAX_LEVELS} levels, not {len(path)}: use fewer of them")
    return path


def clean_name(name: str) -> str:
    """Normalise one name: no blanks around it, one blank between words, Unicode in its composed form (NFC).

    Raises:
        ValueError: if it is empty, longer than MAX_NAME, or holds a control character.
    """
    _expect_short(name)
    for position, character in enumerate(name):
        if kind := _FORBIDDEN.get(unicodedata.category(character)):
            raise ValueError(f"{_short(name)} holds a {kind} (U+{ord(character):04X}) at {position + 1}: take it out")
    clean = unicodedata.normalize("NFC", " ".join(name.split()))
    if all(unicodedata.category(character) == "Cf" for character in clean):  # an invisible name is empty, too
        raise ValueError(r"a level of a tag is empty: give it a name, and write a slash within a name as \/")
    if len(clean) > MAX_NAME:
        raise ValueError(f"{_short(clean)} has {len(clean)} characters: shorten it to {MAX_NAME}")
    return clean


def _split(text: str) -> list[str]:
    levels, escaped = [""], False
    for character in text:
        if escaped and character not in "/\\":
            break
        if character == "/" and not escaped:
            levels.append("")
        elif character != "\\" or escaped:
            levels[-1] += character
        escaped = character == "\\" and not escaped
    if escaped:
        raise ValueError(rf"{_short(text)}: levels are separated by /, and a backslash in a name is written \\")
    return levels


def _expect_short(text: str) -> None:
    if len(text) > LONGEST:
        raise ValueError(f"{_short(text)} has {len(text)} characters: shorten it to {MAX_NAME}")


def _short(name: str) -> str:
    """Quote a name for a message: broken and invisible characters escaped, a long one cut."""
    return ascii(name[:40] + "...") if len(name) > 40 else ascii(name) if not name.isprintable() else f"'{name}'"
