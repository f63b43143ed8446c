"""How pictures look, kept by content hash in a file of the library: only thumbnails that are new are read again.

A cache: a file that is missing, damaged or of another version is made anew, and one that cannot be written costs time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from app.duplicates.perceptual_hash import Look, look_of
from indexer.pictures.thumbnails import ThumbnailStore

_log = logging.getLogger(__name__)

FILE = "looks-1.npz"  # the number rises when a look is computed in another way
SAVED_EVERY = 5_000  # looks, half a minute's work


class LookCache:
    """Looks of the contents of one library."""

    def __init__(self, folder: Path, thumbnails: ThumbnailStore) -> None:
        """Read nothing yet; the file lies in `folder`."""
        self._file = folder / FILE
        self._thumbnails = thumbnails

    def looks(
        self,
        contents: Iterable[str],
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        forget_others: bool = False,
    ) -> dict[str, Look]:
        """The looks of these contents, by content hash; those without a thumbnail that can be read are left out.

        Args:
            contents: hashes, each once or more.
            on_progress: told how many of how many thumbnails were read.
            forget_others: drop what is kept of other contents.
        """
        wanted = list(dict.fromkeys(contents))
        kept = self._load()
        fresh = [content for content in wanted if content not in kept]
        if forget_others and len(kept) > len(wanted) - len(fresh):
            kept = {content: kept[content] for content in wanted if content in kept}
        found = 0
        try:
            for done, content in enumerate(fresh, 1):
                look = self._read(content)
                if look is not None:
                    kept[content] = look
                    found += 1
                    if found % SAVED_EVERY == 0:
                        self._save(kept)
                on_progress(done, len(fresh))
        finally:  # what was read before an interruption is not read again
            if found % SAVED_EVERY:
                self._save(kept)
        return {content: kept[content] for content in wanted if content in kept}

    def _read(self, content: str) -> Look | None:
        from PIL import Image

        try:
            with Image.open(self._thumbnails.path(content), formats=("WEBP",)) as thumbnail:
                return look_of(thumbnail)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None  # none there, or half of one: it is made again when it is next shown

    def _load(self) -> dict[str, Look]:
        try:
            with self._file.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                names, bits, numbers = file["contents"], file["bits"], file["numbers"]
            if not len(names) == len(bits) == len(numbers) or numbers.shape[1:] != (2,):
                return {}
            contents: Sequence[bytes] = names.tolist()
            rows = zip(contents, bits.tolist(), numbers.tolist(), strict=True)
            return {content.decode("ascii"): Look(hashed, *amounts) for content, hashed, amounts in rows}
        except FileNotFoundError:
            return {}
        except Exception as error:  # whatever a damaged archive makes NumPy and zipfile raise
            _log.info("%s cannot be read and is made anew: %s", self._file, error)
            return {}

    def _save(self, looks: dict[str, Look]) -> None:
        partial = self._file.with_name(f"{FILE}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                np.savez(
                    file,
                    contents=np.array([content.encode("ascii") for content in looks], dtype=np.bytes_),
                    bits=np.array([look.bits for look in looks.values()], np.uint64),
                    numbers=np.array([look[1:] for look in looks.values()], np.float32).reshape(-1, 2),
                )
            partial.replace(self._file)
        except OSError as error:
            _log.info("%s cannot be written: %s", self._file, error)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
