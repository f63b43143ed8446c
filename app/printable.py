"""Text from files, names and requests made safe to quote: it steers no terminal and turns no line around. Pure."""

import unicodedata
from pathlib import Path

_STEERING = frozenset(("Cc", "Zl", "Zp"))  # controls, and Unicode's own ends of line and paragraph
# They change the direction of what follows, so that 'gpj.exe' reads as 'exe.jpg' (Unicode, UAX 9, section 2).
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str | Path) -> str:
    """The text with control characters, and those that turn the direction of writing, escaped."""
    return "".join(_escaped(character) if steers(character) else character for character in str(text))


def safe_lines(text: str) -> str:
    """The same of a text of several lines, such as a traceback, whose ends of line stay."""
    return "\n".join(map(printable, text.split("\n")))


def steers(character: str) -> bool:
    """Whether a character moves a terminal's cursor, ends a line, or turns the direction of writing."""
    return character in _TURNING or unicodedata.category(character) in _STEERING


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
