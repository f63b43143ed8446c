"""Content hashes of files, several at a time; each file is read once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from indexer.errors import ImageError
from indexer.folders.scanner import StoppedError
from indexer.pictures import images

_Asked = tuple[Path, frozenset[str]]


class Hashes:
    """Hashes files on threads, and remembers what came out; for one run."""

    def __init__(self, pool: ThreadPoolExecutor, stop: Callable[[], bool]) -> None:
        """Use the threads of `pool`; `stop` is asked before each file."""
        self._pool, self._stop = pool, stop
        self._known: dict[_Asked, str | None] = {}

    def __call__(self, paths: Sequence[Path], like: Sequence[Collection[str]]) -> list[str | None]:
        """The hashes of files; None for one that cannot be read now: the decoder will meet it again and say why.

        Args:
            paths: of the files.
            like: for each, the hashes that the catalog may know it by (`content.hash_bytes`).

        Raises:
            StoppedError: `stop` said so.
        """
        asked = [(path, frozenset(known)) for path, known in zip(paths, like, strict=True)]
        new = [one for one in dict.fromkeys(asked) if one not in self._known]
        self._known.update(zip(new, self._pool.map(self._hash, new), strict=True))
        return [self._known[one] for one in asked]

    def _hash(self, asked: _Asked) -> str | None:
        if self._stop():
            raise StoppedError
        try:
            return images.hash_file(asked[0], like=asked[1])
        except ImageError:
            return None
