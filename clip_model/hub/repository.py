"""Which files of a hub's repository make a model: its configuration and one form of its weights. Pure.

Names are compared with those that models have, so that a repository can name no other file or folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clip_model.checkpoints.sources import (
    HUGGING_FACE,
    HUGGING_FACE_CONFIG,
    HUGGING_FACE_WEIGHTS,
    OPEN_CLIP,
    OPEN_CLIP_CONFIG,
    OPEN_CLIP_WEIGHTS,
    PREPROCESSORS,
    TOKENIZER_FILES,
)

_CONFIGS = {OPEN_CLIP: OPEN_CLIP_CONFIG, HUGGING_FACE: HUGGING_FACE_CONFIG}
_WEIGHTS = {OPEN_CLIP: OPEN_CLIP_WEIGHTS, HUGGING_FACE: HUGGING_FACE_WEIGHTS}
_SHARD = re.compile(r"(model|pytorch_model)-\d{5}-of-\d{5}\.(safetensors|bin)")
_INDEX = ".index.json"
_LARGEST = 50_000_000_000  # bytes of a file; no model's is near it
_SHA256, _GIT_ID = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubFile:
    """A file as the hub describes it.

    Attributes:
        name: of the file; it lies at the top of the repository.
        size: in bytes.
        checksum: its SHA-256, or, of a small one, git's id: the SHA-1 of "blob", its length and its bytes.
    """

    name: str
    size: int
    checksum: str


def check_commit(commit: object, asked: str, repo: str) -> str:
    """The commit that the hub gives for a revision.

    Raises:
        ValueError: if it gives none, such that nothing could be pinned, or another one than the commit asked for.
    """
    if not isinstance(commit, str) or _COMMIT.fullmatch(commit) is None:
        raise ValueError(f"the hub does not say which commit of {repo} it gives, so that it could be another one next")
    if _COMMIT.fullmatch(asked) and commit != asked:
        raise ValueError(
            f"the hub gives the commit {commit[:12]} of {repo} for {asked[:12]}, so that nothing of it is used. "
            "Another commit is fetched on purpose with --revision"
        )
    return commit


def described(name: str, size: object, sha256: object, git_id: object) -> HubFile | None:
    """What the hub says of a file; None where it does not say how large it is and how it is checked."""
    if type(size) is not int or not 0 <= size <= _LARGEST:
        return None
    if isinstance(sha256, str) and _SHA256.fullmatch(sha256):
        return HubFile(name, size, sha256)
    if sha256 is None and isinstance(git_id, str) and _GIT_ID.fullmatch(git_id):
        return HubFile(name, size, git_id)
    return None


def wanted_files(layout: str, listing: Iterable[str], model_cfg: str = "") -> list[str]:
    """The names of the files to fetch, the configuration first, an index of shards last.

    Args:
        layout: OPEN_CLIP or HUGGING_FACE.
        listing: every name in the repository.
        model_cfg: of `NamedModel`, which stands in for a configuration that is not there.

    Raises:
        ValueError: if the configuration is not there, or no weights are.
    """
    there = set(listing)
    config = _CONFIGS[layout]
    weights = next((name for name in _WEIGHTS[layout] if name in there), None)
    if config not in there and not model_cfg:
        raise ValueError(f"it is no model in the layout of {layout}: it holds no {config}")
    if weights is None:
        raise ValueError(f"it is no model in the layout of {layout}: it holds none of {', '.join(_WEIGHTS[layout])}")
    beside = PREPROCESSORS if layout == HUGGING_FACE else ()
    first = [config] if config in there else []
    return [*first, *(name for name in (*beside, *TOKENIZER_FILES) if name in there), weights]


def written_files(model_cfg: str, listing: Iterable[str]) -> dict[str, bytes]:
    """What is written beside the fetched files, by name: the configuration of a repository that holds none."""
    if not model_cfg or OPEN_CLIP_CONFIG in listing:
        return {}
    return {OPEN_CLIP_CONFIG: json.dumps({"model_cfg": json.loads(model_cfg)}, indent=1).encode()}


def shards_of(index: Mapping[str, object], listing: Iterable[str]) -> list[str]:
    """The names of the shards that an index names.

    Raises:
        ValueError: if it names none, one that is not there, or one whose name no shard has.
    """
    named = index.get("weight_map")
    if not isinstance(named, Mapping) or not named:
        raise ValueError("its index of shards names none")
    there, names = set(listing), sorted({str(name) for name in named.values()})
    for name in names:
        if _SHARD.fullmatch(name) is None:
            raise ValueError(f"its index names the shard {name!r:.80}, as no shard is called")
        if name not in there:
            raise ValueError(f"its index names the shard {name}, which is not there")
    return names


def is_index(name: str) -> bool:
    """Whether a file names shards."""
    return name.endswith(_INDEX)
