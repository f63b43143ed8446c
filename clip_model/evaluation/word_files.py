"""Sentences and names of classes that a person brings in a text file; a bad line is named with its number."""

from __future__ import annotations

import stat
from pathlib import Path

_MOST_TEMPLATES = 1_000
_MOST_BYTES = 16 << 20


def read_templates(path: Path) -> tuple[str, ...]:
    """Read prompt templates: one a line, each with the gap {} for the name; # begins a comment, empty lines are none.

    Raises:
        ValueError: a line has no gap or comes twice, or there is none.
        OSError: it cannot be read.
    """
    templates: dict[str, int] = {}
    for number, line in _lines(path):
        if not line or line.startswith("#"):
            continue
        if "{}" not in line:
            raise ValueError(f"{path}, line {number}: expected a template with the gap {{}}, got {line[:80]!r}")
        if line in templates:
            raise ValueError(f"{path}, line {number}: the same template as in line {templates[line]}")
        templates[line] = number
    if not 0 < len(templates) <= _MOST_TEMPLATES:
        raise ValueError(f"{path}: expected 1 to {_MOST_TEMPLATES:,} templates, one a line, got {len(templates):,}")
    return tuple(templates)


def read_class_names(path: Path) -> dict[str, str]:
    """Read what classes are called: "label<TAB>name" in every line, or a name alone, whose label is its number from 0.

    Returns:
        Names by label, in the order of the file.

    Raises:
        ValueError: a line is empty or of another kind than the first, a label or a name comes twice, or there are fewer
            than two.
        OSError: it cannot be read.
    """
    names: dict[str, str] = {}
    lines: dict[str, int] = {}  # of the names
    tabbed: bool | None = None
    for number, line in _lines(path):
        label, tab, name = line.partition("\t")
        tabbed = bool(tab) if tabbed is None else tabbed
        if tabbed != bool(tab):
            raise ValueError(
                f"{path}, line {number}: expected {'label, tab, name' if tabbed else 'a name without a tab'}"
            )
        label, name = (label.strip(), name.strip()) if tabbed else (str(number - 1), line.strip())
        if not label or not name:
            raise ValueError(f"{path}, line {number}: expected the name of a class, got nothing")
        if label in names:
            raise ValueError(f"{path}, line {number}: the label {label!r} for the second time")
        if name in lines:  # what is said alike ties, and a tie is wrong
            raise ValueError(f"{path}, line {number}: the name {name[:80]!r} is that of line {lines[name]} too")
        names[label], lines[name] = name, number
    if len(names) < 2:
        raise ValueError(f"{path}: expected the names of at least two classes, got {len(names)}")
    return names


def _lines(path: Path) -> list[tuple[int, str]]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a regular file")
    if status.st_size > _MOST_BYTES:
        raise ValueError(f"{path} is larger than {_MOST_BYTES:,} bytes")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 (byte {error.start}): save it as UTF-8") from error
    lines = [line.rstrip("\r") for line in lines]
    while lines and not lines[-1].strip():
        lines.pop()  # what ends the last line
    return [(number, line if "\t" in line else line.strip()) for number, line in enumerate(lines, 1)]
