"""What another program's file or folder is: which layout, which files hold weights, which the configuration.

Looks at names and at the first bytes of files alone, and imports no torch.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clip_model.header import carries_config

OPENAI, OPEN_CLIP, HUGGING_FACE = "OpenAI", "OpenCLIP", "Hugging Face"
TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
OWN_NAME = "model.safetensors"  # of a file of ours in a folder, and of Hugging Face's
OPEN_CLIP_CONFIG, HUGGING_FACE_CONFIG = "open_clip_config.json", "config.json"
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
_VOCABULARY = ("vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json")
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_OTHER_NAMES = ("open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.pth", OWN_NAME, "pytorch_model.bin")
"""Which open_clip looks for in a folder too; where a `config.json` stands beside the last two, they are its model's."""
HUGGING_FACE_WEIGHTS = (OWN_NAME, f"{OWN_NAME}.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_SHARD = re.compile(r"(model|pytorch_model)(\.\w+)?-\d{5}-of-\d{5}\.(safetensors|bin)")
_WHOLE = re.compile(r"(model|pytorch_model)(\.\w+)?\.(safetensors|bin)")  # with a variant, as model.fp16.safetensors
_INDEX = re.compile(r"(model|pytorch_model)\.(safetensors|bin)\.index(\.\w+)?\.json")
_POINTER = b"version https://git-lfs"  # how a file begins that Git LFS has not fetched
ARCHIVE, _LEGACY = b"PK\x03\x04", b"\x80\x02\x8a\x0a"  # how torch.save begins a file, and how it did before 1.6


@dataclass(frozen=True)
class Source:
    """A model of another program.

    Attributes:
        layout: OPENAI, OPEN_CLIP or HUGGING_FACE.
        path: the file or folder that was named, absolute.
        weights: the files that hold its tensors, one or several shards.
        configs: JSON files that say what it looks like, the main one first; none for OpenAI's.
    """

    layout: str
    path: Path
    weights: tuple[Path, ...]
    configs: tuple[Path, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the weights."""
        return sum(file.stat().st_size for file in self.weights)


def find_source(path: Path) -> Source | None:
    """What a file or folder of another program is; None where it is none, such as a weights file of ours.

    Raises:
        ValueError: if a folder holds a configuration, but no weights that belong to it, a shard has no index beside it,
            or a file was not fetched.
    """
    source = _of_folder(path.resolve()) if path.is_dir() else _of_file(_place(path)) if path.is_file() else None
    for file in () if source is None else (*source.weights, *source.configs, *_tokenizer(source)):
        _expect_fetched(file)
    return source


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        ValueError: if it holds none, or was not fetched.
    """
    _expect_fetched(path)
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a JSON object, and holds no configuration of a model")
    return values


def _expect_fetched(file: Path) -> None:
    if _begin(file, len(_POINTER)) == _POINTER:
        raise ValueError(f"{file} holds no data, but what Git LFS puts in its place: run 'git lfs pull' there")


def _tokenizer(source: Source) -> list[Path]:
    """The files of a tokenizer beside a model of Hugging Face."""
    if source.layout != HUGGING_FACE:
        return []
    beside = (source.configs[0].parent / name for name in (*TOKENIZER_FILES, *_VOCABULARY))
    return [file for file in beside if file.is_file()]


def _of_folder(folder: Path) -> Source | None:
    if carries_config(folder / OWN_NAME):
        return None
    known = [
        (OPEN_CLIP, OPEN_CLIP_CONFIG, OPEN_CLIP_WEIGHTS),
        (HUGGING_FACE, HUGGING_FACE_CONFIG, HUGGING_FACE_WEIGHTS),
        (OPEN_CLIP, OPEN_CLIP_CONFIG, _OTHER_NAMES),
    ]
    lacking = []
    for layout, config, names in known:
        if not (folder / config).is_file():
            continue
        weights = next((folder / name for name in names if (folder / name).is_file()), None)
        if weights is not None:
            return _with_config(layout, folder, weights, folder / config)
        if names != _OTHER_NAMES:
            lacking.append(f"with {config} belongs one of {', '.join(names)}")
    if lacking:
        raise ValueError(f"{folder} holds no weights: {'; '.join(lacking)}")
    return None


def _place(file: Path) -> Path:
    """Where a file is, or a link to it where its configuration lies beside that, as in the cache of Hugging Face."""
    link = file.parent.resolve() / file.name
    beside = any((link.parent / name).is_file() for name in (OPEN_CLIP_CONFIG, HUGGING_FACE_CONFIG))
    return link if beside else file.resolve()


def _of_file(path: Path) -> Source | None:
    if carries_config(path):
        return None
    config, main = path.parent / OPEN_CLIP_CONFIG, path.parent / HUGGING_FACE_CONFIG
    if shard := _SHARD.fullmatch(path.name):
        return _of_shard(path, path.with_name(f"{shard[1]}.{shard[3]}.index{shard[2] or ''}.json"), main)
    if main.is_file() and (_WHOLE.fullmatch(path.name) or _INDEX.fullmatch(path.name)):
        return _with_config(HUGGING_FACE, path, path, main)
    of_torch = path.suffix.lower() in TORCH_SUFFIXES or _begin(path, 4) in (ARCHIVE, _LEGACY)
    if not of_torch and path.suffix.lower() != ".safetensors":
        return None
    if config.is_file():
        return _with_config(OPEN_CLIP, path, path, config)
    if main.is_file() and not of_torch:  # under a name of its own; a pickle so called may be OpenAI's
        return _with_config(HUGGING_FACE, path, path, main)
    return Source(OPENAI, path, (path,)) if of_torch else None


def _of_shard(path: Path, index: Path, main: Path) -> Source:
    """All shards of the model of which one is named."""
    for needed in (index, main):
        if not needed.is_file():
            raise ValueError(f"{path} is one of several shards, and {needed.name} is missing beside it")
    source = _with_config(HUGGING_FACE, path, index, main)
    if path not in source.weights:
        raise ValueError(f"{path} is none of the shards that {index.name} beside it names")
    return source


def _with_config(layout: str, path: Path, weights: Path, config: Path) -> Source:
    if layout == OPEN_CLIP:
        tokenizer = config.parent / TOKENIZER_FILES[0]
        beside = (tokenizer,) if _names_text_tower(config) and tokenizer.is_file() else ()
        return Source(layout, path, (weights,), (config, *beside))
    names: tuple[str, ...] = PREPROCESSORS
    if str(read_json(config).get("model_type")).startswith("siglip"):  # CLIP's tokenizer is known
        names += TOKENIZER_FILES
    found = (config.parent / name for name in names)
    files = _shards(weights) if weights.suffix == ".json" else (weights,)
    return Source(layout, path, files, (config, *(file for file in found if file.is_file())))


def _names_text_tower(config: Path) -> bool:
    """Whether an `open_clip_config.json` has a text tower of Hugging Face, which has a tokenizer of its own."""
    try:
        model = read_json(config).get("model_cfg")
    except ValueError:  # whoever converts it says so
        return False
    text = model.get("text_cfg") if isinstance(model, dict) else None
    return isinstance(text, dict) and bool(text.get("hf_model_name"))


def _shards(index: Path) -> tuple[Path, ...]:
    """The files that an index of shards names, which have to lie beside it."""
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise ValueError(f"{index} names no shards: its weight_map is empty")
    files = sorted({str(name) for name in names.values()})
    for name in files:
        if Path(name).name != name or name in (".", ".."):
            raise ValueError(f"{index} names the shard {name!r}, which is no plain name of a file beside it")
        if not (index.parent / name).is_file():
            raise ValueError(f"{index.parent} is not whole: the shard {name} is missing")
    return tuple(index.parent / name for name in files)


def _begin(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)
