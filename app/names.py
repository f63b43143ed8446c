"""Paths as people and headers are shown them. Pure."""

import os
import re
from pathlib import Path


def shown_path(path: Path) -> str:
    """The path as text that is valid Unicode: bytes of a name that are none become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def safe_filename(path: Path) -> str:
    """The file's name for a header: no quotes, separators or control characters."""
    return re.sub(r'[\x00-\x1f\x7f"\\/;]+', "_", shown_path(path).rpartition("/")[2])
