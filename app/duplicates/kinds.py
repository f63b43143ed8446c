"""What a photo can be of another one; a module of its own, which imports nothing, for the help of the command line."""

from enum import StrEnum


class Kind(StrEnum):
    """What a photo is of another one, the strongest first.

    `exact`: the same picture, whatever the metadata around it. `near`: re-saved, smaller, a little cropped or
    brighter. `burst`: another shot of the same, taken within seconds.
    """

    exact = "exact"
    near = "near"
    burst = "burst"
