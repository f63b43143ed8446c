"""Raw features scaled to unit length. Embeddings are compared by their direction alone.

Legend: b rows, d dimension of the shared space.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

ROWS = range(1 << 62)  # what rows are called whose order is the caller's


def unit(features: Tensor, what: str, numbers: Sequence[int]) -> NDArray[np.float32]:
    """Scale (b, d) features to unit length.

    Args:
        features: (b, d) float.
        what: the features are of, for the message.
        numbers: (b,) what a message calls the rows.

    Raises:
        ValueError: if a row is zero or not finite.
    """
    norms = features.norm(dim=1, keepdim=True)
    lengths = norms.flatten().cpu().numpy()  # NumPy looks at a few numbers without leaving Python to other threads
    sound = np.isfinite(lengths) & (lengths > 0)
    if not sound.all():
        row = numbers[int(np.flatnonzero(~sound)[0])]
        raise ValueError(f"the model gives no direction for {what} number {row}: its features are zero or not finite")
    embeddings: NDArray[np.float32] = (features / norms).cpu().numpy()
    return embeddings
