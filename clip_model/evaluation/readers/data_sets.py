"""Which reader reads what is named: shards, tables, Parquet files, folders of them, or class folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path

from clip_model.evaluation.readers.examples import Item
from clip_model.evaluation.readers.folders import read_folders
from clip_model.evaluation.readers.parquet import has_sources, read_parquet
from clip_model.evaluation.readers.shards import read_shard
from clip_model.evaluation.readers.tables import read_table

_READERS: dict[str, Callable[[Path], Iterator[Item]]] = {
    ".tar": read_shard,
    ".parquet": read_parquet,
    ".csv": read_table,
    ".tsv": read_table,
}
_GATHERED = (".tar", ".parquet")  # a folder of these is a data set
_MOST_FILES = 100_000
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class DataSet:
    """What is named.

    Attributes:
        items: read as they are asked for.
        one_source: whether all are of one source, so that the first ones can be taken without reading on.
    """

    items: Iterator[Item]
    one_source: bool = True


def open_data_set(named: Sequence[str], suffixes: Collection[str]) -> DataSet:
    """Find out what is named.

    Args:
        named: files of one kind, patterns such as "shard-{000..012}.tar" or "{a,b}.tar", or one folder.
        suffixes: of names of pictures, for class folders.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: nothing here reads it, files of several kinds are named, or one is none that can be read.
        ImportError: Parquet is named, and pyarrow is not installed.
    """
    paths = [path for name in named for path in _expanded(name)]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"there is no data set at {path}")
    if len(paths) == 1 and paths[0].is_dir():
        return _gathered(paths[0]) or DataSet(read_folders(paths[0], suffixes))
    kinds = {path.suffix.lower() for path in paths}
    if len(kinds) != 1 or (kind := kinds.pop()) not in _READERS:
        raise ValueError(
            f"expected one folder, or files of one kind ({', '.join(_READERS)}), got "
            f"{', '.join(str(path) for path in paths[:4])}"
        )
    return _read(kind, paths)


def _gathered(folder: Path) -> DataSet | None:
    """The files of many pictures in a folder; None where there are none."""
    files = {suffix: found for suffix in _GATHERED if (found := sorted(folder.glob(f"*{suffix}")))}
    if not files:
        return None
    has_folders = any(entry.is_dir() and not entry.name.startswith(".") for entry in folder.iterdir())
    if len(files) > 1 or has_folders:
        there = [f"{suffix} files" for suffix in files] + ["folders"] * has_folders
        raise ValueError(
            f"{folder} holds {' and '.join(there)}: name the files that are meant, or the folder of folders alone"
        )
    ((suffix, found),) = files.items()
    return _read(suffix, found)


def _read(kind: str, files: list[Path]) -> DataSet:
    for path in files:
        if not path.is_file():  # reading a pipe may never end
            raise ValueError(f"{path} is not a regular file")
    one_source = kind != ".parquet" or not any(map(has_sources, files))
    return DataSet(chain.from_iterable(map(_READERS[kind], files)), one_source)


def _expanded(name: str) -> list[Path]:
    """The paths that a name with braces stands for; a file that is called so is itself."""
    if Path(name).exists() or not _BRACES.search(name):
        return [Path(name)]
    parts: list[list[str]] = []
    at = 0
    for found in _BRACES.finditer(name):
        parts += [[name[at : found.start()]], _choices(found.group(1), name)]
        at = found.end()
    count = 1
    for part in parts:
        count *= len(part)
    if count > _MOST_FILES:
        raise _too_many(name)
    return [Path("".join(chosen) + name[at:]) for chosen in product(*parts)]


def _choices(inside: str, name: str) -> list[str]:
    first, dots, last = inside.partition("..")
    if not dots:
        return inside.split(",")
    if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()) or int(first) > int(last):
        raise ValueError(f"{name}: expected two numbers, the smaller first, as in {{000..012}}, got {{{inside}}}")
    if int(last) - int(first) >= _MOST_FILES:
        raise _too_many(name)
    width = max(len(first), len(last)) if first.startswith("0") and len(first) > 1 else 0
    return [f"{number:0{width}}" for number in range(int(first), int(last) + 1)]


def _too_many(name: str) -> ValueError:
    return ValueError(f"{name} stands for more than {_MOST_FILES:,} files")
