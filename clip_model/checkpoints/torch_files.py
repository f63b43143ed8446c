"""Tensors out of files that torch.save or torch.jit.save wrote; nothing that such a file names is imported or run.

A file may hold anything, so its size bounds what is read: no entry that is read is compressed, and all tensors together
are no larger than the file.
"""

from __future__ import annotations

import io
import pickle
import re
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from clip_model.checkpoints.entries import EntriesError, checked_entries, read_entry, root_of
from clip_model.checkpoints.pickle_walk import check_pickle
from clip_model.checkpoints.sources import ARCHIVE
from clip_model.checkpoints.torch_script import LONGEST_PICKLE, is_tensor_name, read_torch_script

_SCRIPT_MARK = "constants.pkl"  # in archives of TorchScript alone; torch.load tells them by it too
_REFUSED = re.compile(
    "GLOBAL|unrecognized|Unsupported class"
)  # in what torch.load says of a pickle that it will not follow
_PICKLE = b"\x80"  # how each pickle begins that torch ever wrote
_PICKLES_BEFORE = 5  # magic number, protocol, system, content and keys, in files of before torch 1.6
_WRAPPED, _PARALLEL = "state_dict", "module."  # what training programs put around a state dict, and before its names


def read_torch_file(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name.

    Raises:
        ValueError: if it is damaged, holds anything but tensors and plain values, or tensors larger than itself.
    """
    with path.open("rb") as file:
        begin = file.read(len(ARCHIVE))
    archive = begin == ARCHIVE
    if not archive and begin[:1] != _PICKLE:
        raise ValueError(f"{path} is damaged, or no file that torch wrote: it begins like none")
    if archive and any(name.rpartition("/")[2] == _SCRIPT_MARK for name in _checked_entries(path)):
        return _bounded(read_torch_script(path), path)
    _check_pickles(path, archive=archive)
    return _bounded(_tensors(_load(path), path), path)


def _checked_entries(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return checked_entries(archive, path.stat().st_size)
    except EntriesError as error:
        raise ValueError(f"{path} is refused: {error}") from error
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path} is damaged or cut short: {error}") from error


def _check_pickles(path: Path, *, archive: bool) -> None:
    """Look through what torch.load unpickles: data.pkl of an archive, else the pickles before the tensors."""
    try:
        if archive:
            with zipfile.ZipFile(path) as file:
                root = root_of(checked_entries(file, path.stat().st_size))
                pickles = [io.BytesIO(read_entry(file, f"{root}data.pkl", LONGEST_PICKLE))]
        else:
            with path.open("rb") as begin:
                pickles = [io.BytesIO(begin.read(LONGEST_PICKLE))] * _PICKLES_BEFORE
            if tarfile.is_tarfile(path):
                raise pickle.UnpicklingError("it is a tar archive, as torch wrote none since 2017")
        for stream in pickles:
            check_pickle(stream, _admits, _calls)
    except (pickle.UnpicklingError, EntriesError) as error:
        raise ValueError(f"{path} is refused: {error}") from error
    except (zipfile.BadZipFile, ValueError, LookupError, MemoryError) as error:
        raise ValueError(f"{path} is damaged, or no file that torch wrote: {_first_line(error)}") from error


def _admits(named: str) -> bool:
    return is_tensor_name(named) or named == "torch._utils._rebuild_parameter"


def _calls(named: str) -> bool:
    return _admits(named) and not (named.startswith("torch.") and named.endswith("Storage"))


def _load(path: Path) -> object:
    """What is in the file, by torch's loader that knows tensors and plain values alone."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols, which the errors speak of too
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if _REFUSED.search(str(error)) is None:
            raise ValueError(f"{path} is damaged, or no file that torch wrote") from error
        named = re.search(r"GLOBAL (\S+)", str(error))
        what = f" ({named.group(1)})" if named else ""
        raise ValueError(
            f"{path} is refused: it holds more than tensors and plain values{what}, and reading that could run code"
        ) from error
    except (RuntimeError, EOFError, ValueError, TypeError, LookupError, AttributeError, MemoryError) as error:
        raise ValueError(f"{path} is damaged, or no file that torch wrote: {_first_line(error)}") from error


def _tensors(loaded: object, path: Path) -> dict[str, Tensor]:
    """The state dict in what was loaded, as it is or as training programs wrap it."""
    if isinstance(loaded, Mapping) and isinstance(loaded.get(_WRAPPED), Mapping):
        loaded = loaded[_WRAPPED]
    if not isinstance(loaded, Mapping) or not loaded:
        raise ValueError(f"{path} holds no state dict, but {type(loaded).__name__}")
    for name, value in loaded.items():
        if type(name) is not str:
            raise ValueError(f"{path} holds no state dict: a key is {type(name).__name__}, no name")
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.device.type != "cpu":
            raise ValueError(f"{path} holds no state dict: {name[:80]!r} is {type(value).__name__}, no plain tensor")
    if all(name.startswith(_PARALLEL) for name in loaded):
        return {name.removeprefix(_PARALLEL): value for name, value in loaded.items()}
    return dict(loaded)


def _bounded(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    claimed = sum(value.numel() * value.element_size() for value in state.values())
    if claimed > path.stat().st_size:
        raise ValueError(f"{path} is refused: its tensors claim {claimed} bytes, the file has {path.stat().st_size}")
    return state


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
