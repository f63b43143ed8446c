"""What the network sees of a picture, on its way out of the process that decoded it.

To import NumPy takes such a process as long as all else that it imports, and most pictures are decoded without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


def in_transit(prepare: Callable[[Image.Image], Pixels], image: Image.Image, *, stacked: bool = False) -> Pixels:
    """What `prepare` makes of a picture, for one who pickles it and does nothing else with it.

    Where `prepare` has a method `picture`, which gives the same as an RGB picture, it is an array where it arrives.

    Returns:
        (s, s, 3) bytes; stacked: (1, s, s, 3).
    """
    as_picture = cast("Callable[[Image.Image], Image.Image] | None", getattr(prepare, "picture", None))
    if as_picture is not None:
        return cast("Pixels", _InTransit(as_picture(image), stacked=stacked))
    pixels = prepare(image)
    return pixels[None] if stacked else pixels


class _InTransit:
    """Pickled and read again it is an array, which can be read only, as those of pictures are."""

    def __init__(self, square: Image.Image, *, stacked: bool) -> None:
        shape = square.height, square.width, 3
        self._parts = square.tobytes(), (1, *shape) if stacked else shape

    def __reduce__(self) -> tuple[object, ...]:
        return _arrived, self._parts


def _arrived(content: bytes, shape: tuple[int, ...]) -> Pixels:
    import numpy as np

    return np.frombuffer(content, np.uint8).reshape(shape)
