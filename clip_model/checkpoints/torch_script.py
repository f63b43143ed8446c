"""The tensors of a TorchScript archive, such as OpenAI published, without torch.jit.load, which compiles its code.

The archive's data.pkl is the tree of modules. It is unpickled by an unpickler that knows tensors, ordered dicts and
inert stand-ins for the classes of the archive, and nothing else.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clip_model.checkpoints.entries import EntriesError, checked_entries, read_entry, root_of
from clip_model.checkpoints.pickle_walk import ORDERED_DICT, check_pickle

LONGEST_PICKLE = 64_000_000  # bytes; OpenAI's largest has less than one million
_DIMENSIONS = 8
_KEY = re.compile("[0-9]{1,9}")  # of a storage
_LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist", "restore_type_tag")
_STORAGES = {
    "HalfStorage": torch.float16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def read_torch_script(path: Path) -> dict[str, Tensor]:
    """The tensors of the archive's modules, by their dotted names; whole numbers of the outermost one are tensors too.

    Raises:
        ValueError: if the archive is damaged, or names anything but modules and tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = _Unpickler(archive, checked_entries(archive, path.stat().st_size)).load()
    except (pickle.UnpicklingError, EntriesError) as error:
        raise ValueError(f"{path} is refused: {error}") from error
    except (
        zipfile.BadZipFile,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        OverflowError,
    ) as e:
        raise ValueError(f"{path} is damaged: {(str(e) or type(e).__name__).splitlines()[0][:200]}") from e
    return _flattened(root, path)


class _Module:
    """What stands for an object of a class that the archive defines: its attributes, if they have names."""

    members: dict[str, Any]

    def __setstate__(self, state: object) -> None:
        self.members = {k: v for k, v in state.items() if type(k) is str} if isinstance(state, dict) else {}


class _Inert:
    """A function that an archive may call, which nothing in the pickle can change."""

    __slots__ = ("_call",)
    _call: Callable[..., object]

    def __init__(self, call: Callable[..., object]) -> None:
        object.__setattr__(self, "_call", call)

    def __setattr__(self, name: str, value: object) -> None:
        raise pickle.UnpicklingError(f"its pickle sets {name} of a function")

    def __call__(self, *args: object) -> object:
        return self._call(*args)


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, names: list[str]) -> None:
        self._archive, self._root = archive, root_of(names)
        data = read_entry(archive, f"{self._root}data.pkl", LONGEST_PICKLE)
        check_pickle(io.BytesIO(data), _admits, _calls)
        super().__init__(io.BytesIO(data))
        # A class of this reading alone: a pickle may set attributes of a class.
        self._stand_in = type("Module", (_Module,), {})
        self._storages: dict[str, bytearray] = {}
        byteorder = self._root + "byteorder"
        if byteorder in names and read_entry(archive, byteorder) != b"little":
            raise pickle.UnpicklingError("its numbers are big-endian")

    def find_class(self, module: str, name: str) -> Any:
        if _is_module(module):
            return self._stand_in
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Inert(_rebuilt)
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch.jit._pickle" and name in _LISTS:
            return _Inert(_nothing)
        raise pickle.UnpicklingError(f"its pickle names {module}.{name}, and reading that could run code")

    def persistent_load(self, pid: Any) -> Tensor:
        """The storage that ("storage", type, key, device, count) names, as a flat tensor."""
        kind, dtype, key, _, count = pid
        sound = type(kind) is type(key) is str and kind == "storage" and isinstance(dtype, torch.dtype)
        if not sound or not _KEY.fullmatch(key) or type(count) is not int or count < 0:
            raise pickle.UnpicklingError("its pickle names a storage in no known way")
        if key not in self._storages:
            self._storages[key] = bytearray(read_entry(self._archive, f"{self._root}data/{key}"))
        data, size = self._storages[key], count * torch.empty((), dtype=dtype).element_size()
        if size > len(data):
            raise pickle.UnpicklingError(f"the storage {key} has {len(data)} bytes, and {size} are said to be there")
        return torch.frombuffer(data, dtype=dtype, count=count) if count else torch.empty(0, dtype=dtype)


def _admits(named: str) -> bool:
    module, _, name = named.rpartition(".")
    return is_tensor_name(named) or _is_module(module) or (module == "torch.jit._pickle" and name in _LISTS)


def _calls(named: str) -> bool:
    return _admits(named) and not (named.startswith("torch.") and named.endswith("Storage"))


def _is_module(module: str) -> bool:
    return module == "__torch__" or module.startswith("__torch__.")


def is_tensor_name(named: str) -> bool:
    """Whether a state dict may name this: "module.name" of what tensors are built by."""
    module, _, name = named.rpartition(".")
    return named in (ORDERED_DICT, "torch._utils._rebuild_tensor_v2") or (module == "torch" and name in _STORAGES)


def _rebuilt(storage: object, offset: object, size: object, stride: object, *_: object) -> Tensor:
    """A view of a storage, no larger than that."""
    if not isinstance(storage, Tensor) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise pickle.UnpicklingError("its pickle builds a tensor in no known way")
    sound = all(type(n) is int and n >= 0 for n in (offset, *size, *stride)) and len(size) == len(stride) <= _DIMENSIONS
    if not sound or not isinstance(offset, int):
        raise pickle.UnpicklingError("its pickle holds a tensor of impossible shape")
    if math.prod(size) > storage.numel():
        raise pickle.UnpicklingError("its pickle holds a tensor larger than its storage")
    return torch.as_strided(storage, size, stride, offset)


def _nothing(*_: object) -> None:
    """Lists and types of attributes say nothing of the weights."""


def _flattened(root: object, path: Path) -> dict[str, Tensor]:
    if not isinstance(root, _Module):
        raise ValueError(f"{path} holds no module of TorchScript, but {type(root).__name__}")
    state = {name: torch.tensor(v) for name, v in _members(root).items() if type(v) is int and abs(v) < 2**63}
    seen, waiting = {id(root)}, [("", root)]
    while waiting:
        prefix, module = waiting.pop()
        for name, value in _members(module).items():
            if isinstance(value, Tensor):
                state[prefix + name] = value
            elif isinstance(value, _Module) and id(value) not in seen:
                seen.add(id(value))
                waiting.append((f"{prefix}{name}.", value))
    return state


def _members(module: _Module) -> dict[str, Any]:
    return getattr(module, "members", {})
