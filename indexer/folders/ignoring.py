"""Which files and folders are passed over: defaults, patterns from the settings, and `.picsiftignore` files.

The patterns are those of `.gitignore`, and pathspec knows what they mean. A deeper file goes before a shallower one,
both before the settings, and these before the defaults, so that a `!` pattern can undo a default. It lists no folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

FILE_NAME = ".picsiftignore"
_MAX_BYTES = 1 << 20
_DIRECTORY_MARK = "ps_d"  # pathspec's name for the slash that ends the part of a path that a pattern matched

_SKIPPED = frozenset(
    (
        *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "lost+found", "$recycle.bin"),
        *("system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"),
    )
)
"""What systems and photo programs keep for themselves, in lower case; so are all names that begin with a dot."""
_SKIPPED_END = ".lrdata"  # Lightroom's previews
_NEVER_WANTED = re.compile(
    r"\._|\.(thumbnails|trash|trashes|picasaoriginals|@__thumb|dtrash|git|fseventsd)$|\.trash-", re.I
)
"""Hidden names that stay passed over where the hidden ones are asked for."""


class IgnoreFileError(Exception):
    """A `.picsiftignore` file cannot be read; the message says which and why."""


class _Rule(NamedTuple):
    """One pattern: what it matches, whether that is passed over, and whether it marks where a matched folder ends."""

    regex: re.Pattern[str]
    ignores: bool
    marks: bool


class Rules(NamedTuple):
    """The patterns of one source, for what lies below `prefix` (relative to the root, with a slash; "" for all)."""

    prefix: str
    rules: tuple[_Rule, ...]

    def verdict(self, path: str, *, is_dir: bool) -> bool | None:
        """Whether a path in the root is passed over; None where no pattern speaks of it. The last one decides."""
        own = path[len(self.prefix) :]
        marked = f"{own}/" if is_dir else own
        for rule in reversed(self.rules):
            if rule.marks:  # what it says of a folder was settled there: below it, only its own matches count
                ends = {found.end(_DIRECTORY_MARK) for found in rule.regex.finditer(marked)}
            else:
                ends = {-1} if rule.regex.search(own) else set()
            if ends & {-1, len(marked)}:
                return rule.ignores
        return None


Chain = tuple[Rules, ...]  # the deepest first


@dataclass(frozen=True)
class Ignoring:
    """What a person asked to be passed over in every root.

    Attributes:
        patterns: lines as in `.gitignore`.
        hidden: whether files and folders whose names begin with a dot are taken after all.
    """

    patterns: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def chain(self) -> Chain:
        """The patterns of the settings, where there are any."""
        rules = parse(self.patterns)
        return (Rules("", rules),) if rules else ()

    def by_default(self, name: str) -> bool:
        """Whether a file or folder of this name is passed over where no pattern speaks of it."""
        if self.hidden and name.startswith("."):
            return _NEVER_WANTED.match(name) is not None
        return is_skipped(name)

    def ignores(self, chain: Chain, path: str, *, is_dir: bool) -> bool:
        """Whether a path in a root is passed over by the rules that hold in its folder; its folders are not asked."""
        for rules in chain:
            verdict = rules.verdict(path, is_dir=is_dir)
            if verdict is not None:
                return verdict
        return self.by_default(path.rpartition("/")[2])

    def chain_in(self, root: Path, folder: str) -> Chain:
        """The rules that hold in a folder (relative to the root), read from disk.

        Raises:
            IgnoreFileError: one of the files cannot be read.
        """
        chain, prefix = self.chain, ""
        for part in ("", *(folder.split("/") if folder else ())):
            prefix = f"{prefix}{part}/" if part else ""
            if os.path.isfile(root / prefix / FILE_NAME):  # noqa: PTH113  (Path.is_file raises where a drive fails)
                chain = (read_rules(root / prefix / FILE_NAME, prefix), *chain)
        return chain

    def reaches(self, root: Path, folder: str) -> bool:
        """Whether a scan of the root comes by a folder below it (relative, posix)."""
        return not self.is_ignored(root, folder, is_dir=True)

    def is_ignored(self, root: Path, path: str, *, is_dir: bool = False) -> bool:
        """Whether a scan of the root would not come by a path (relative, posix), asking for each folder above it too.

        A folder whose ignore file cannot be read is not looked into, so that what lies there counts as ignored.
        """
        parts = path.split("/")
        for depth, name in enumerate(parts, start=1):
            try:
                chain = self.chain_in(root, "/".join(parts[: depth - 1]))
            except IgnoreFileError:
                return True
            if self.ignores(chain, "/".join([*parts[: depth - 1], name]), is_dir=is_dir or depth < len(parts)):
                return True
        return False


NOTHING_MORE = Ignoring()
"""The defaults, and what `.picsiftignore` files say."""


def is_skipped(name: str) -> bool:
    """Whether a file or folder of this name is passed over by default."""
    return name.startswith(".") or (lower := name.lower()) in _SKIPPED or lower.endswith(_SKIPPED_END)


def parse(lines: Iterable[str]) -> tuple[_Rule, ...]:
    """Compile patterns; comments and empty lines give none.

    Raises:
        ValueError: a line is no pattern.
    """
    from pathspec import GitIgnoreSpec

    return tuple(
        _Rule(pattern.regex, pattern.include, _DIRECTORY_MARK in pattern.regex.groupindex)
        for pattern in GitIgnoreSpec.from_lines(lines).patterns
        if pattern.regex is not None and pattern.include is not None
    )


def read_rules(file: Path, prefix: str) -> Rules:
    """Read an ignore file; `prefix` is where its folder lies in the root.

    Raises:
        IgnoreFileError: it cannot be read, is no text, or holds a line that is no pattern.
    """
    try:
        with file.open("rb") as opened:
            return Rules(prefix, _parsed(opened.read(_MAX_BYTES + 1)))
    except OSError as error:
        raise IgnoreFileError(f"{file} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise IgnoreFileError(f"{file} cannot be understood: {error}") from error


@lru_cache(maxsize=256)
def _parsed(content: bytes) -> tuple[_Rule, ...]:
    """The rules in a file's bytes; names that are no UTF-8 are matched by their bytes, as the scan names them."""
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES:,} bytes")
    if b"\0" in content:
        raise ValueError("it is not plain text. Save it as UTF-8")
    rules: list[_Rule] = []
    for number, line in enumerate(os.fsdecode(content.removeprefix(b"\xef\xbb\xbf")).split("\n"), start=1):
        try:
            rules += parse([line.removesuffix("\r")])
        except ValueError:
            raise ValueError(f"line {number}, {line!r}, is no pattern. Correct it") from None
    return tuple(rules)
