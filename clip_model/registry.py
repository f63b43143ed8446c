"""Names of models: the built-in one, one that was fetched from a hub, or a path to a weights file, whoever's it is.

Downloads nothing, and imports torch only where another program's file is converted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from clip_model.checkpoints.converted import converted, default_folder
from clip_model.checkpoints.sources import (
    HUGGING_FACE_CONFIG,
    OPEN_CLIP_CONFIG,
    OWN_NAME,
    TORCH_SUFFIXES,
    find_source,
)
from clip_model.header import read_header
from clip_model.hub.fingerprint import fingerprint_of
from clip_model.hub.shelf import Shelf
from clip_model.stored_file import sha256

BUILTIN = "builtin"
EARLIER = "builtin-1"  # what BUILTIN named before; it answers for its libraries until the new one has embedded them
WEIGHTS_SUFFIX = ".safetensors"
WEIGHTS_IN_FOLDER = OWN_NAME


@dataclass(frozen=True)
class ModelInfo:
    """A model that can be loaded.

    Attributes:
        name: what `resolve` accepts: a registered name, or the absolute path.
        path: the weights file; of another program's model the converted one.
        dim: dimension of the embeddings.
        image_size: side of the image tower's square input in pixels.
        parameters: how many numbers were learned.
        fingerprint: equal exactly where embeddings are: the SHA-256 of the weights file, which holds the configuration
            too, in hexadecimal; with `hub.fingerprint.PREPARATION` hashed into it.
        source: "built-in", "file", "fetched" of a model that has a name, or "converted" where the name is that of
            another program's file or folder.
        resize: how a picture becomes that square, see `VisionConfig`.
    """

    name: str
    path: Path
    dim: int
    image_size: int
    parameters: int
    fingerprint: str
    source: str
    resize: str = "crop"


def resolve(name_or_path: str | Path, *, models: Path | None = None) -> ModelInfo:
    """Find a model by its name, or the path of a weights file or a folder that holds `model.safetensors`.

    A checkpoint of OpenAI, OpenCLIP or Hugging Face, file or folder, is converted to a weights file first, once.

    Args:
        name_or_path: of the model.
        models: the folder of converted models; None is `default_folder()`.

    Raises:
        ValueError: if the name is unknown or not on this machine, or the file is no model or cannot be converted
            exactly.
        FileNotFoundError: if the path, or the weights of a known name, are missing.
    """
    registered = _registered()
    if isinstance(name_or_path, str) and name_or_path in registered:
        return _describe(name_or_path, registered[name_or_path], "built-in")
    if isinstance(name_or_path, str) and name_or_path in (shelf := Shelf(models)).named:
        return _fetched(name_or_path, shelf)
    path = Path(os.path.expanduser(name_or_path))  # noqa: PTH111  an unknown user stays as written
    if isinstance(name_or_path, str) and not _looks_like_path(name_or_path):
        known = ", ".join(sorted(registered))
        raise ValueError(
            f"unknown model {name_or_path!r}; known are: {known}, and those that 'picsift models list' names; "
            f"or give the path of a {WEIGHTS_SUFFIX} file or of a folder that holds {WEIGHTS_IN_FOLDER}, or of a "
            f"checkpoint of OpenAI, OpenCLIP or Hugging Face"
        )
    foreign = find_source(path)
    if foreign is not None:
        return _describe(str(foreign.path), converted(foreign, models or default_folder()), "converted")
    if path.is_dir() and not (path / WEIGHTS_IN_FOLDER).is_file():
        cached = (path / "snapshots").is_dir()
        raise FileNotFoundError(
            f"{path} holds no model: neither {WEIGHTS_IN_FOLDER} nor another program's, with its {OPEN_CLIP_CONFIG} or "
            f"{HUGGING_FACE_CONFIG}" + ("; it is a cache of Hugging Face: name a folder in its 'snapshots'" * cached)
        )
    weights = path / WEIGHTS_IN_FOLDER if path.is_dir() else path
    weights = Path(os.path.realpath(weights))  # of links that lead in a circle it makes a file that is not there
    return _describe(str(weights), weights, "file")


def _fetched(name: str, shelf: Shelf) -> ModelInfo:
    path = shelf.weights(name)
    if path is None:
        raise ValueError(f"the model {name!r} is known, but not on this machine; fetch it: picsift models pull {name}")
    return _describe(name, path, "fetched")


def kept(fingerprint: str) -> str | None:
    """The registered name of the weights with this fingerprint; None where no registered model has them."""
    return next((info.name for info in available() if info.fingerprint == fingerprint), None)


def available() -> list[ModelInfo]:
    """Describe the registered models whose weights are on this machine."""
    return [resolve(name) for name, path in _registered().items() if path.is_file()]


def _registered() -> dict[str, Path]:
    folder = Path(str(resources.files(__package__))) / "weights"
    return {name: folder / f"{name}{WEIGHTS_SUFFIX}" for name in (BUILTIN, EARLIER)}


def _looks_like_path(text: str) -> bool:
    return bool(text) and (
        "/" in text
        or "\\" in text
        or text[0] in "~."
        or text.endswith((WEIGHTS_SUFFIX, *TORCH_SUFFIXES))
        or Path(text).exists()
    )


def _describe(name: str, path: Path, source: str) -> ModelInfo:
    if not path.is_file():
        raise FileNotFoundError(f"no model weights at {path}")
    header = read_header(path)
    return ModelInfo(
        name=name,
        path=path,
        dim=header.config.embed_dim,
        image_size=header.config.vision.image_size,
        parameters=header.parameters,
        fingerprint=fingerprint_of(sha256(path)),
        source=source,
        resize=header.config.vision.resize,
    )
