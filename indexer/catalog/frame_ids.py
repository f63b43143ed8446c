"""Ids of a video's frames in the search index: the photo's own id for the poster, and above it the number of the frame.

A video is a photo whose vector is that of its poster, the frame that stands for it. Each other frame has a vector of
its own, whose id holds the video's, so that a hit leads to its video without a question to anybody. Pure arithmetic.
"""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import NDArray

PHOTO_BITS = 40
"""Of an id, which are its photo's: photo ids count up from 1, and 2**40 photos fill no disk there is."""
_PHOTO = (1 << PHOTO_BITS) - 1
FIRST_FRAME = 1 << PHOTO_BITS
"""Ids from here on are frames; those below are photos, and videos by their posters."""


@overload
def frame_id(photo_id: int, number: int) -> int: ...
@overload
def frame_id(photo_id: NDArray[np.int64], number: NDArray[np.int64]) -> NDArray[np.int64]: ...
def frame_id(photo_id: int | NDArray[np.int64], number: int | NDArray[np.int64]) -> int | NDArray[np.int64]:
    """The id of a frame: `number` counts from 1, and 0 is the poster."""
    return photo_id + (number << PHOTO_BITS)


@overload
def photo_of(index_id: int) -> int: ...
@overload
def photo_of(index_id: NDArray[np.int64]) -> NDArray[np.int64]: ...
def photo_of(index_id: int | NDArray[np.int64]) -> int | NDArray[np.int64]:
    """The photo, or video, that an id of the index belongs to."""
    return index_id & _PHOTO


def number_of(index_id: int) -> int:
    """Which frame of its video it is; 0 for a photo and for a video's poster."""
    return index_id >> PHOTO_BITS
