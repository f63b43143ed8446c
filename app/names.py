"""Paths as people and headers are shown them. Pure."""

import os
import re
from pathlib import Path

from app.printable import steers


def shown_path(path: Path) -> str:
    """The path as text that is valid Unicode: bytes of a name that are none become U+FFFD."""
    text = str(path)
    return text if text.isascii() else os.fsencode(text).decode("utf-8", "replace")


def safe_filename(path: Path) -> str:
    """The file's name for a header, and for whoever saves it: no quotes or separators, nothing that `steers`."""
    name = "".join("/" if steers(character) else character for character in shown_path(path).rpartition("/")[2])
    return re.sub(r'["\\/;]+', "_", name)
