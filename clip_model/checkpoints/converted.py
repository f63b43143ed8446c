"""The folder of converted models: each is converted once, and found again by the bytes that it was made of.

Imports no torch unless something is converted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from clip_model.checkpoints.sources import HUGGING_FACE, OPEN_CLIP, OPENAI, Source
from clip_model.stored_file import sha256, write_atomically

VERSION = 1
"""Grows when a conversion makes something else of the same files."""
_LOCK = "converting.lock"
_KEY = re.compile(r"[0-9a-f]{64}")
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


def notes(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """The SHA-256 of each converted weights file, and the files that go with it.

    The folder may hold files of a person's own: what no conversion is called, or says nothing of its layout, is none.
    """
    for note in folder.glob("*.json"):
        weights = _said(note)
        ours = _KEY.fullmatch(note.stem) and _said(note, "layout") in (OPENAI, OPEN_CLIP, HUGGING_FACE)
        if ours and weights is not None:
            yield weights, _files(folder, note.stem)


def sha256_made_of(source: Source, hashes: Mapping[str, str], folder: Path) -> str | None:
    """The SHA-256 of the converted weights of a source, without reading its files; None where it was not converted.

    Args:
        source: of which no two files have one name.
        hashes: the SHA-256 of its files by name.
        folder: of converted models.
    """
    names = [file.name for file in (*source.weights, *source.configs)]
    if any(name not in hashes for name in names):
        return None
    weights = [hashes[file.name] for file in source.weights]
    return _said(folder / f"{_key_of(source, weights, [hashes[file.name] for file in source.configs])}.json")


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

    for left in target.parent.glob(".*.partial"):  # of any that was killed: nobody else is at it
        if _KEY.match(left.name, 1):
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
    return _key_of(source, [sha256(file) for file in source.weights], [sha256(file) for file in source.configs])


def _key_of(source: Source, weights: list[str], configs: list[str]) -> str:
    named = {file.name: config for file, config in zip(source.configs, configs, strict=True)}
    said = json.dumps([VERSION, source.layout, weights, named], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _is_sound(target: Path, note: Path) -> bool:
    try:
        return _said(note) == sha256(target)
    except (OSError, ValueError):
        return False


def _said(note: Path, what: str = "sha256") -> str | None:
    """The SHA-256 that a note says its converted weights have, or what else; None where it says none."""
    try:
        return str(json.loads(note.read_bytes())[what])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
