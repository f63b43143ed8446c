"""Whether fetched files are what was fetched, and the model that its name says; converted, since only then it shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clip_model.checkpoints.converted import converted
from clip_model.checkpoints.sources import Source, find_source
from clip_model.header import read_header
from clip_model.hub.named import NamedModel
from clip_model.stored_file import sha256


def accepted(model: NamedModel, folder: Path, files: Mapping[str, str], models: Path) -> Path:
    """The weights file that a folder of fetched files was converted to, made now if it is not there.

    Args:
        model: what its name says.
        folder: of the files.
        files: the SHA-256 that each had when it was fetched, by name.
        models: the folder of converted models.

    Raises:
        ValueError: if a file is another one by now, or all of them are another model, or none that can be used.
        OSError: if it cannot be written.
    """
    source = _checked(model, folder, files)
    path = converted(source, models)
    config, parameters = (header := read_header(path)).config, header.parameters
    found: dict[str, float] = {
        "dim": config.embed_dim,
        "image_size": config.vision.image_size,
        "parameters": parameters,
    }
    found |= {"quick_gelu": config.quick_gelu, "mean": round(config.vision.mean[0], 3)}
    for what, got in found.items():
        if got != (expected := getattr(model, what)):
            raise ValueError(
                f"{model.repo} holds another model than {model.name!r}: its {what} is {got}, not {expected}. It is "
                "not used; another commit of it is fetched by 'picsift models pull' with --revision"
            )
    return path


def _checked(model: NamedModel, folder: Path, files: Mapping[str, str]) -> Source:
    again = f"Fetch it again: picsift models pull {model.name}"
    source = find_source(folder)
    if source is None:
        raise ValueError(f"{folder} holds no model any more. {again}")
    for file in (*source.weights, *source.configs):
        if file.name not in files:
            raise ValueError(f"{file} was not fetched with the model {model.name!r}. {again}")
        if sha256(file) != files[file.name]:
            raise ValueError(f"{file} is damaged: it has not the checksum that it had when it was fetched. {again}")
    return source
