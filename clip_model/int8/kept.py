"""The folder of 8-bit towers: each is made once, and used as long as its file is what was made and computes rightly.

A file counts by its SHA-256, which a note beside it says, with the features that the network has of the drawn pictures:
they are compared at every start, since another processor may round in another way. What differs is made anew.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from clip_model.checkpoints.converted import default_folder, unusable
from clip_model.config import VisionConfig
from clip_model.int8.graph import quantized_graph
from clip_model.int8.notes import Note, folder_of, read_note, write_note
from clip_model.int8.proving import LEAST_COSINE, check, drawn_pixels, least_cosine
from clip_model.int8.session import GraphTower
from clip_model.stored_file import write_atomically

logger = logging.getLogger(__name__)

VERSION = 1
"""Grows when something else is made of the same tower."""
_LIBRARIES = ("onnx", "onnxruntime", "torch")
_LOCK, _MAKING = "lock", "making."


def int8_tower(tower: nn.Module, vision: VisionConfig, fingerprint: str, models: Path | None) -> GraphTower:
    """The 8-bit form of an image tower, made now if it is not there, or not as it was.

    Args:
        tower: on the CPU, in float32, ready to evaluate.
        vision: what it looks like, and how its pictures are normalised.
        fingerprint: of its model; "" has its tensors hashed.
        models: the folder of converted models, below which it is kept; None is `default_folder()`.

    Raises:
        ValueError: if the tower is no transformer or too large, or does not compute what the network does.
        OSError: if it cannot be written.
    """
    if vision.patch_size is None:
        raise ValueError(
            "precision 'int8' is for image towers that are transformers, and this model's is made of convolutions; "
            "let the precision be 'auto'"
        )
    from filelock import FileLock

    folder = folder_of(models or default_folder())
    key = _key(vision, fingerprint or _hash(tower))
    target, note = folder / f"{key}.onnx", folder / f"{key}.json"
    lock = FileLock(folder / _LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise OSError(unusable(folder, error)) from error
    try:  # who waited finds it made
        return _found(vision, target, note) or _made(tower, vision, fingerprint, target, note)
    finally:
        lock.release()


def _made(tower: nn.Module, vision: VisionConfig, fingerprint: str, target: Path, note: Path) -> GraphTower:
    # A warning, so that whoever waits for it is told in any case.
    logger.warning("making the image tower's 8-bit form once, into %s", target)
    for left in target.parent.glob(f"{_MAKING}*"):  # of one that was killed: nobody else is at it
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=_MAKING) as folder:
        graph = quantized_graph(tower, vision.image_size, Path(folder))
    made, pixels = GraphTower(graph), drawn_pixels(vision)
    with torch.inference_mode():
        expected = tower(pixels)
    logger.info("least cosine of the 8-bit image tower to fp32: %.5f", check(made(pixels), expected))
    note.unlink(missing_ok=True)  # a kill between the next two leaves no note for the new file
    write_atomically(target, graph)
    write_note(note, Note(fingerprint, hashlib.sha256(graph).hexdigest(), expected.tolist()))
    return made


def _found(vision: VisionConfig, target: Path, note: Path) -> GraphTower | None:
    """The tower that is kept, once it has computed what it should; None where its file is not as it was made."""
    said = read_note(note)
    with suppress(OSError, ValueError, TypeError):
        graph = target.read_bytes()  # these bytes are hashed and run, whatever becomes of the file
        if said is not None and hashlib.sha256(graph).hexdigest() == said.sha256:
            expected = torch.tensor(said.features, dtype=torch.float32)
            kept = GraphTower(graph)
            got = kept(drawn_pixels(vision))
            if got.shape == expected.shape and least_cosine(got, expected) >= LEAST_COSINE:
                return kept
    return None  # made anew, it is refused if this processor is the reason


def _key(vision: VisionConfig, weights: str) -> str:
    """What tells the tower from all others: the model's weights, what was made of them, and by what."""
    made_by = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    said = json.dumps([VERSION, weights, repr(vision), made_by], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _hash(tower: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in tower.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
