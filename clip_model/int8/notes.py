"""What stands beside each 8-bit tower that is kept: its hash, and its model. Imports no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from clip_model.stored_file import write_atomically

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Note:
    """What was found out when a tower was made.

    Attributes:
        model: the fingerprint of its model; "" where it had none.
        sha256: of the tower's file, in hexadecimal.
    """

    model: str
    sha256: str


def folder_of(models: Path) -> Path:
    """Where towers are kept, below the folder of converted models."""
    return models / "int8"


def write_note(path: Path, note: Note) -> None:
    """Write a note, atomically."""
    write_atomically(path, json.dumps(asdict(note)).encode())


def read_note(path: Path) -> Note | None:
    """The note in a file; None where there is none, or it is damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        said = json.loads(path.read_bytes())
        return Note(str(said["model"]), str(said["sha256"]))
    return None


def files_made_of(fingerprint: str, models: Path) -> Iterator[Path]:
    """The files of towers that were made of a model, by whichever versions of the libraries; "" is no model's."""
    for path in folder_of(models).glob("*.json"):
        note = read_note(path) if fingerprint and _KEY.fullmatch(path.stem) else None
        if note is not None and note.model == fingerprint:
            yield from (path, path.with_suffix(".onnx"))
