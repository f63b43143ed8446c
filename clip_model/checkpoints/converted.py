"""The folder of converted models: each is converted once, and found again by the bytes that it was made of.

Imports no torch unless something is converted.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from clip_model.checkpoints.sources import Source
from clip_model.stored_file import sha256, write_atomically

VERSION = 1
"""Grows when a conversion makes something else of the same files."""
_LOCK = "converting.lock"
logger = logging.getLogger(__name__)


def default_folder() -> Path:
    """Where converted models are kept unless another folder is named: in the user's cache."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("picsift", appauthor=False)) / "models"


def converted(source: Source, folder: Path) -> Path:
    """The weights file of ours that holds a model of another program, made now if it is not there, or not as it was.

    Raises:
        ValueError: if the model cannot be loaded exactly; the message says why.
        OSError: if it cannot be written.
    """
    key = _key(source)
    target, note = folder / f"{key}.safetensors", folder / f"{key}.json"
    if not _is_sound(target, note):
        _make(source, key, target, note)
    return target


def files_made_of(source: Source, folder: Path) -> list[Path]:
    """Where the converted weights of a source lie, and what lies with them."""
    return _files(folder, _key(source))


def files_of(folder: Path, fingerprint: str) -> list[Path]:
    """The same of the converted weights that have this SHA-256; none where there are none."""
    found: list[Path] = []
    for note in folder.glob("*.json"):
        if _said(note) == fingerprint:
            found += _files(folder, note.stem)
    return found


def _files(folder: Path, key: str) -> list[Path]:
    return [folder / f"{key}{suffix}" for suffix in (".safetensors", ".json")]


def _make(source: Source, key: str, target: Path, note: Path) -> None:
    """Convert a source, one process at a time; who waited finds it done."""
    from filelock import FileLock

    lock = FileLock(target.with_name(_LOCK))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise OSError(unusable(target.parent, error)) from error
    try:
        if not _is_sound(target, note):
            _make_alone(source, key, target, note)
    finally:
        lock.release()


def _make_alone(source: Source, key: str, target: Path, note: Path) -> None:
    from clip_model.checkpoints.conversion import convert

    for left in target.parent.glob(f".{key}.*.partial"):  # of one that was killed: nobody else is at it
        left.unlink(missing_ok=True)
    # A warning, so that whoever waits for it is told in any case.
    logger.warning("converting %s (%s, %.0f MB) once, into %s", source.path, source.layout, source.size / 1e6, target)
    convert(source, target)
    if _key(source) != key:
        raise ValueError(f"{source.path} was written to while it was read; wait until it is whole")
    write_atomically(note, json.dumps({"sha256": sha256(target), "layout": source.layout}).encode())


def unusable(folder: Path, error: Exception) -> str:
    """What is said where nothing can be written to the folder."""
    return f"the converted model cannot be kept in {folder} ({error}); the setting 'converted_models' names another"


def _key(source: Source) -> str:
    """What tells the model from all others: the bytes of its weights and of its configuration, not where they lie."""
    weights = [sha256(file) for file in source.weights]
    configs = {file.name: sha256(file) for file in source.configs}
    said = json.dumps([VERSION, source.layout, weights, configs], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _is_sound(target: Path, note: Path) -> bool:
    try:
        return _said(note) == sha256(target)
    except (OSError, ValueError):
        return False


def _said(note: Path) -> str | None:
    """The SHA-256 that a note says its converted weights have; None where it says none."""
    try:
        return str(json.loads(note.read_bytes())["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
