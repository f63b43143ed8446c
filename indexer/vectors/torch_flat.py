"""Rows in float16 on a GPU through torch: one product and one selection of the best, at the rate of the GPU's memory.

It answers as FAISS's flat index does, for `GpuMirror`: on an H200 it takes 2.5 ms for 10 million rows of 512, where
FAISS's takes 34 (benchmarks/search_gpu.py). torch is imported when one is made.
The shapes: n rows, d dimensions, q queries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from indexer.vectors.rows import Half
from indexer.vectors.scanning import Floats, Ids

# What shows that a GPU may be there, before torch is imported for it, which takes a second: the driver's own files.
_SIGNS = ("/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version")
_SCORES = 2**28  # numbers at once: of a chunk of rows, for all queries


def driver_present() -> bool:
    """Whether an NVIDIA driver shows itself here, whether or not it works."""
    return any(Path(sign).exists() for sign in _SIGNS)


class TorchFlat:
    """Rows on one device, searched exactly but for half precision; not safe to change while another thread searches."""

    number_type = np.float16  # that `add` needs no change of

    def __init__(self, dim: int, device: str) -> None:
        """Make an empty one.

        Raises:
            RuntimeError: if torch cannot use the device.
        """
        import torch

        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False  # a sum is rounded once, at its end
        self.dim = dim
        self._torch = torch
        self._device = torch.device(device)
        self._rows: Any = torch.empty(0, dim, dtype=torch.float16, device=self._device)
        self.ntotal = 0

    def reset(self) -> None:
        """Drop all rows and their memory."""
        self._rows, self.ntotal = self._rows[:0].clone(), 0

    def reserve(self, count: int) -> None:
        """Make room for `count` rows in all, so that adding them copies none twice."""
        if count > len(self._rows):
            grown = self._torch.empty(count, self.dim, dtype=self._torch.float16, device=self._device)
            grown[: self.ntotal] = self._rows[: self.ntotal]
            self._rows = grown

    def add(self, rows: Half | Floats) -> None:
        """Append rows (n, d)."""
        end = self.ntotal + len(rows)
        if end > len(self._rows):
            self.reserve(max(end, len(self._rows) * 5 // 4))
        self._rows[self.ntotal : end] = self._torch.from_numpy(np.array(rows, np.float16)).to(self._device)
        self.ntotal = end

    def search(self, queries: Floats, k: int) -> tuple[Floats, Ids]:
        """Find the k best rows of each query; the query and its scores are rounded to half precision.

        Args:
            queries: (q, d).
            k: at most `ntotal`.

        Returns:
            scores (q, k), falling, and rows (q, k).
        """
        torch = self._torch
        with torch.inference_mode():
            asked = torch.from_numpy(queries).to(self._device, torch.float16)
            step = max(k, _SCORES // max(1, len(queries)))
            parts = [self._best(asked, start, step, k) for start in range(0, self.ntotal, step)]
            scores, rows = (torch.cat(side, dim=1) for side in zip(*parts, strict=True))
            if len(parts) > 1:
                scores, at = scores.topk(k, dim=1)
                rows = rows.gather(1, at)
            return scores.float().cpu().numpy(), rows.cpu().numpy()

    def _best(self, asked: Any, start: int, step: int, k: int) -> tuple[Any, Any]:
        rows = self._rows[start : min(start + step, self.ntotal)]
        # A product of a matrix and one vector reads the rows at the memory's rate, that of two matrices at half of it.
        scores = (rows @ asked[0])[None] if len(asked) == 1 else asked @ rows.T
        best = scores.topk(min(k, len(rows)), dim=1)
        return best.values, best.indices + start
