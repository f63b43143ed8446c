"""Models that have a name: what is published of each, read from `models.toml`. It knows no files and no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # becomes the name of a folder
_BYTES = 4  # of a number in float32, which most are published in


@dataclass(frozen=True)
class NamedModel:
    """A model that comes with picsift or can be fetched from a hub.

    Attributes:
        name: what `--model` and `picsift models` take.
        dim: dimension of the embeddings.
        image_size: side of the square that it sees, in pixels.
        parameters: how many numbers were learned.
        licence: of the weights.
        languages: of the texts that it understands.
        repo: the hub's repository, OWNER/NAME; "" of one that comes with picsift.
        layout: of its files, as `checkpoints/sources.py` names it.
        quick_gelu: whether its transformers have OpenAI's approximation of the GELU.
        mean: of red in [0, 1], which pixels are shifted by: it tells the normalisations that are in use apart.
        zero_shot: published top-1 accuracy on ImageNet, in percent; None where none is.
        revision: the commit to fetch; None where the first pull settles it.
        model_cfg: JSON of what open_clip's configuration says of the model, for a repository that holds none; "" where
            its own says it.
    """

    name: str
    dim: int
    image_size: int
    parameters: int
    licence: str
    languages: str
    repo: str = ""
    layout: str = ""
    quick_gelu: bool = False
    mean: float = 0.481
    zero_shot: float | None = None
    revision: str | None = None
    model_cfg: str = ""

    @property
    def about_bytes(self) -> int:
        """What its weights take in float32; the hub says before a download how large the files are."""
        return self.parameters * _BYTES


@lru_cache(maxsize=1)
def named_models() -> Mapping[str, NamedModel]:
    """The models by name, in the order of the file."""
    import tomllib

    text = resources.files("clip_model.hub").joinpath("models.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: NamedModel(name, **values) for name, values in tomllib.loads(text).items()})
