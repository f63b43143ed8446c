"""The folder of 8-bit towers: each is made once, and used as long as it computes what the network at hand does.

A file counts by its SHA-256, which a note beside it says, and by features of drawn pictures: they are compared with
those of the network at every start, since another processor may round in another way, and since nothing but the network
itself tells whose a file is. What differs is made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import nn

from clip_model.checkpoints.converted import default_folder, unusable
from clip_model.config import CLIPConfig, VisionConfig
from clip_model.int8.extra import unfit
from clip_model.int8.graph import quantized_graph
from clip_model.int8.notes import Note, files_made_of, folder_of, read_note, write_note
from clip_model.int8.proving import LEAST_COSINE, check, drawn_pixels, least_of
from clip_model.int8.session import GraphTower
from clip_model.stored_file import write_atomically

logger = logging.getLogger(__name__)

VERSION = 3
"""Grows when something else is made of the same tower."""
_PATIENCE_S = 1.0  # after which who waits for another process says so


def int8_tower(tower: nn.Module, config: CLIPConfig, fingerprint: str, models: Path | None) -> GraphTower:
    """The 8-bit form of an image tower, made now if it is not there, or not as it was.

    Args:
        tower: on the CPU, in float32, ready to evaluate.
        config: of its model.
        fingerprint: of its model, with which it is removed; "" where it has none.
        models: the folder of converted models, below which it is kept; None is `default_folder()`.

    Raises:
        ValueError: if the tower is no transformer or too large, or does not compute what the network does.
        OSError: if it cannot be written; the message names the folder and the setting.
    """
    vision = config.vision
    problem = unfit(vision, sum(parameter.numel() for parameter in tower.parameters()), "cpu")
    if problem is not None:
        raise ValueError(f"precision 'int8' does not work: {problem}; let the precision be 'auto'")
    folder, key = folder_of(models or default_folder()), _key(tower, config, fingerprint)
    found = _found(tower, vision, fingerprint, folder / key)
    if found is not None:  # without a lock: the folder may be read-only
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f"lock-{key}"):  # who waited finds it made
            found = _found(tower, vision, fingerprint, folder / key)
            return found or _made(tower, vision, fingerprint, folder / key)
    except OSError as error:
        raise OSError(unusable(folder, error)) from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout:
        logger.warning("waiting for another process that makes the image tower's 8-bit form (lock %s)", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _made(tower: nn.Module, vision: VisionConfig, fingerprint: str, path: Path) -> GraphTower:
    """Make a tower's files, those of `path` with their suffixes, in place of all others of its model."""
    target, note = path.with_suffix(".onnx"), path.with_suffix(".json")
    # A warning, so that whoever waits for it is told in any case.
    logger.warning("making the image tower's 8-bit form once, into %s", target)
    making = f"making-{path.name}."
    for left in path.parent.glob(f"{making}*"):  # of one that was killed: nobody else is at it
        shutil.rmtree(left, ignore_errors=True)
    for left in path.parent.glob(f".{path.name}.*.partial"):  # likewise
        left.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=making) as folder:
        graph = quantized_graph(tower, vision.image_size, Path(folder))
    made, pixels = GraphTower(graph), drawn_pixels(vision)
    logger.info("least cosine of the 8-bit image tower to fp32: %.5f", check(made, tower, pixels))
    note.unlink(missing_ok=True)  # a kill between the next two leaves no note for the new file
    write_atomically(target, graph)
    write_note(note, Note(fingerprint, hashlib.sha256(graph).hexdigest()))
    for other in [*files_made_of(fingerprint, path.parent.parent)]:  # by other versions of the libraries
        if other.stem != path.name:
            other.unlink(missing_ok=True)
    return made


def _found(tower: nn.Module, vision: VisionConfig, fingerprint: str, path: Path) -> GraphTower | None:
    """The tower that is kept, once it has computed what the network does; None where its file is not as it was made."""
    said = read_note(path.with_suffix(".json"))
    if said is None or said.model != fingerprint:
        return None
    with suppress(OSError, ValueError):
        graph = path.with_suffix(".onnx").read_bytes()  # these bytes are hashed and run, whatever becomes of the file
        if hashlib.sha256(graph).hexdigest() == said.sha256:
            kept = GraphTower(graph)
            if least_of(kept, tower, drawn_pixels(vision)) >= LEAST_COSINE:
                return kept
    return None  # made anew, it is refused if this processor is the reason


def _key(tower: nn.Module, config: CLIPConfig, fingerprint: str) -> str:
    """What tells the tower from all others: its weights, all that shapes its graph, and by what that was made."""
    shape = [repr(config.vision), config.embed_dim, config.quick_gelu]
    said = json.dumps([VERSION, fingerprint, _hash(tower), shape, _versions()])
    return hashlib.sha256(said.encode()).hexdigest()


def _versions() -> list[str]:
    """Of the libraries, by what they say themselves: they come under several names, such as onnxruntime-gpu."""
    try:
        import onnx
        import onnxruntime

        return [str(library.__version__) for library in (onnx, onnxruntime, torch)]
    except Exception as error:  # a broken one may raise anything
        raise ValueError(
            f"precision 'int8' does not work: onnx or onnxruntime cannot be loaded ({error}); "
            "they are of the extra 'int8': pip install 'picsift[int8]'"
        ) from error


def _hash(tower: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in tower.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
