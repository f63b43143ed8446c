"""What a configuration of another program says, asked key by key: one that would need something else is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from clip_model.checkpoints.sources import PREPROCESSORS, read_json

Color = tuple[float, float, float]
Preparation = tuple[Color, Color, str]
"""Mean and deviation of the colours, and how a picture becomes a square."""
_LARGEST = 1_000_000  # no size of any model comes near it
_STEPS = ("do_resize", "do_rescale", "do_normalize")
_CHOICES = ("do_center_crop", "do_convert_rgb")  # of which either may be; pictures that are RGB stay as they are


class Said:
    """One object of a configuration.

    Args:
        values: what the file says.
        path: of the file.
        part: where in it, as a message names it.
    """

    def __init__(self, values: object, path: Path, part: str = "") -> None:
        if not isinstance(values, Mapping):
            raise ValueError(f"{path} has no object {part.rstrip('.')!r}: it describes no CLIP with two towers")
        self._values, self._path, self._part = values, path, part

    def part(self, name: str) -> Said:
        """An object within this one.

        Raises:
            ValueError: if there is none.
        """
        return Said(self._values.get(name), self._path, f"{self._part}{name}.")

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._path

    def get(self, name: str, default: Any = None) -> Any:
        """A value as it is; one that is null counts as not said."""
        value = self._values.get(name)
        return default if value is None else value

    def has(self, name: str) -> bool:
        """Whether there is such a key, be it null."""
        return name in self._values

    def number(self, name: str, default: int | None = None) -> int:
        """A positive whole number; a list of equal ones, as sides of a square, is one.

        Raises:
            ValueError: if it is something else, or is not said and has no default.
        """
        value = self.get(name, default)
        if isinstance(value, list) and value and all(other == value[0] for other in value):
            value = value[0]
        if type(value) is not int or not 0 < value <= _LARGEST:
            raise self.refusal(name, "a positive whole number is needed")
        return value

    def color(self, name: str, default: Color) -> Color:
        """Three numbers, for red, green and blue.

        Raises:
            ValueError: if it is something else.
        """
        value = self.get(name, default)
        if (
            not isinstance(value, (list, tuple))
            or len(value) != 3
            or not all(type(v) in (int, float) and abs(v) < _LARGEST for v in value)  # NaN is not
        ):
            raise self.refusal(name, "three numbers are needed")
        return float(value[0]), float(value[1]), float(value[2])

    def near(self, name: str, known: float, within: float, called: str | None = None) -> None:
        """See that a number, if it is said, is the one that is known.

        Raises:
            ValueError: if it is another, or none.
        """
        value = self.get(name, known)
        if type(value) not in (int, float) or not abs(value - known) <= within:
            raise self.refusal(name, f"{called or known} is known")

    def prepares(self, kind: str) -> None:
        """See that pictures are resized, scaled to 0..1 and normalised, and that nothing else is done with them.

        Args:
            kind: how the name of the class begins that does it.

        Raises:
            ValueError: naming what else is said.
        """
        for name in _STEPS:
            if self.get(name, True) is not True:
                raise self.refusal(name, "pictures are resized and normalised")
        for name in self._values:
            if name.startswith("do_") and name not in _STEPS + _CHOICES and self.get(name, False) is not False:
                raise self.refusal(name, "picsift does not know what that means")
        for name in _CHOICES:
            if type(self.get(name, True)) is not bool:
                raise self.refusal(name, "true or false is needed")
        for name in ("image_processor_type", "feature_extractor_type"):
            if not re.fullmatch(
                rf"{kind}(ImageProcessor|FeatureExtractor)\w*", str(self.get(name, f"{kind}ImageProcessor"))
            ):
                raise self.refusal(name, f"{kind}ImageProcessor is known")
        self.near("rescale_factor", 1 / 255, 1e-9, "1/255")

    def only(self, plain: Mapping[str, tuple[Any, ...]], known: tuple[str, ...] = ()) -> None:
        """See that every key is known, and that those which change a network have values that leave it plain.

        Args:
            plain: for each such key the values that need nothing special; null always is one.
            known: keys that are read elsewhere, or say nothing of the network.

        Raises:
            ValueError: naming the first that is not.
        """
        for name, value in self._values.items():
            if name in plain and value is not None and value not in plain[name]:
                raise self.refusal(name, "picsift has no network for that")
            if name not in plain and name not in known and value is not None:
                raise self.refusal(name, "picsift does not know what that means")

    def refusal(self, name: str, reason: str) -> ValueError:
        """What is raised for a value."""
        return ValueError(
            f"{self._path} cannot be used: {self._part}{name} is {self._values.get(name)!r:.80}; {reason}"
        )


def prepared(files: Iterable[Path], read: Callable[[Said], Preparation], default: Preparation) -> Preparation:
    """How pictures are prepared, as the files of Hugging Face beside a model say it; the default where none does.

    Raises:
        ValueError: if two of them say different things, or `read` raises it.
    """
    found: dict[Preparation, Path] = {}
    for path in files:
        values = read_json(path)
        pictures = values.get("image_processor", None if path.name == PREPROCESSORS[1] else values)
        if pictures is not None:
            found.setdefault(read(Said(pictures, path)), path)
    if len(found) > 1:
        raise ValueError(
            f"{' and '.join(map(str, found.values()))} say different things about how pictures are prepared"
        )
    return next(iter(found), default)
