"""The tensors of a weights file as float32 arrays, mapped into memory, so that only what is asked for is read.

It checks that a tensor lies within the file; whether names and shapes are those of a model is asked by its reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip_model.header import Header, read_header

Floats = NDArray[np.float32]

_STORED = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # NumPy has no bfloat16: the upper half of a float32
_PAST_HALF = 65536.0  # what no finite float16 reaches


class MappedWeights:
    """Reads tensors by name; those that are asked for again are kept as float32.

    Args:
        path: a weights file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no model's weights file, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.header: Header = read_header(path)
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
        self._kept: dict[str, Floats] = {}
        self._asked: set[str] = set()
        self._scratch = np.empty(0, dtype=np.float32)

    def holds(self, name: str, shape: tuple[int, ...]) -> bool:
        """Whether there is a tensor of this name and shape in a number format that can be read."""
        entry = self.header.tensors.get(name)
        if entry is None or entry.shape != shape or entry.dtype not in _STORED:
            return False
        size = int(np.prod(shape)) * np.dtype(_STORED[entry.dtype]).itemsize
        return entry.start >= 0 and entry.end - entry.start == size and entry.end <= len(self._bytes)

    def __call__(self, name: str) -> Floats:
        """The whole tensor."""
        known = self._kept.get(name)
        if known is None:
            known = self._kept[name] = _as_float32(self._stored(name))
        return known

    def rows(self, name: str, rows: Sequence[int] | NDArray[np.int64]) -> Floats:
        """Some rows of a large tensor, of which nothing else is read."""
        return _as_float32(self._stored(name)[rows])

    def product(self, x: Floats, name: str) -> Floats:
        """(..., n) -> (..., m) by a weight of (m, n), in one product where NumPy would make one for each text.

        When first asked for, the weight is widened into memory that all weights share: fresh memory for each takes
        longer than all else, and a process that asks once needs them once.
        """
        weight = self(name) if name in self._asked else self._widened(name)
        self._asked.add(name)
        out: Floats = x.reshape(-1, x.shape[-1]) @ weight.T
        return out.reshape(*x.shape[:-1], -1)

    def _widened(self, name: str) -> Floats:
        stored = self._stored(name)
        if stored.dtype == np.float32:
            return _as_float32(stored)
        if self._scratch.size < stored.size:
            self._scratch = np.empty(stored.size, dtype=np.float32)
        return _as_float32(stored, self._scratch[: stored.size].reshape(stored.shape))

    def _stored(self, name: str) -> NDArray[np.generic]:
        entry = self.header.tensors[name]
        stored = self._bytes[entry.start : entry.end].view(_STORED[entry.dtype]).reshape(entry.shape)
        return np.asarray(stored)  # a mapped array's own class makes each small operation slower


def _as_float32(stored: NDArray[np.generic], out: Floats | None = None) -> Floats:
    """The same numbers as float32, in `out` where there is one.

    A float16 is widened by its bits, several times faster than NumPy does it: sign, exponent and fraction move to their
    places, and 2**112 makes up for the other bias of the exponent, exactly, for the smallest numbers too.
    """
    if stored.dtype == np.float32:
        return stored.view(np.float32)
    out = np.empty(stored.shape, dtype=np.float32) if out is None else out
    bits = out.view(np.int32)
    np.copyto(bits, stored.view(np.int16))  # the sign is extended to the left
    if stored.dtype.kind == "u":
        bits <<= 16
        return out
    bits <<= 13
    bits &= np.int32(~0x7000_0000)
    out *= np.float32(2.0**112)
    if out.size and max(out.max(), -out.min()) >= _PAST_HALF:  # infinite, or not a number
        np.copyto(out, stored)
    return out
