"""A library's background of relevance, measured when a search first needs it and kept in a file beside the index.

The file is derived: deleted or damaged, it is made again. It says nothing about a query; `background.py` does.
"""

import logging
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from app.search.background import Background, Floats, Level, measure
from indexer.catalog.records import ModelRecord
from indexer.embedder import Embedder
from indexer.library import Library
from indexer.vectors.index import VectorIndex

log = logging.getLogger(__name__)

FILE = "background.npz"
VERSION = 1  # of the file and of how it is measured
SAMPLE = 2_000  # photos
GROWN = 0.25  # share by which a library has to change until it is measured again
SMALL = 50  # photos' change that counts in a small library


class LibraryBackground:
    """Gives the background of the index that answers; safe to call from many threads."""

    def __init__(
        self, library: Library, embedder_for: Callable[[ModelRecord], Embedder], names: Callable[[], Sequence[str]]
    ) -> None:
        """Measure nothing yet.

        Args:
            library: whose photos are searched.
            embedder_for: the library's model -> its embedder; asked once for a model, to embed the names.
            names: plain names of a background vocabulary; none: nothing is measured.
        """
        self._library = library
        self._embedder_for = embedder_for
        self._names = names
        self._lock = threading.Lock()
        self._known: tuple[str, Background] | None = None  # and its model's fingerprint
        self._vectors: tuple[str, Floats] | None = None

    def of(self, model: ModelRecord, index: VectorIndex, *, with_words: bool = True) -> Background | None:
        """The background of the model's index; None where the model cannot tell names apart.

        Without words it needs no model, and knows the level of photos with photos alone.

        Raises:
            ModelError: the model cannot be loaded.
        """
        kept = self._known
        if kept is not None and kept[0] == model.fingerprint and _suffices(kept[1], index, with_words=with_words):
            return kept[1]  # and nobody waits for anybody
        with self._lock:
            if self._known is None or self._known[0] != model.fingerprint:
                read = _read(self._library.index_folder(model) / FILE, model.dim)
                self._known = None if read is None else (model.fingerprint, read[0])
                self._vectors = None if read is None else (model.fingerprint, read[1])
            known = None if self._known is None else self._known[1]
            if known is None or not _suffices(known, index, with_words=with_words):
                known = self._measured(model, index, with_words=with_words)
            return known

    def _measured(self, model: ModelRecord, index: VectorIndex, *, with_words: bool) -> Background | None:
        names = self._names()  # a whole vocabulary is read for them: not in every process, but when it is measured
        if not names or not len(index):
            return None
        sample = index.sample(SAMPLE).astype(np.float32)
        if self._vectors is None and with_words:
            try:
                self._vectors = model.fingerprint, self._embedder_for(model).embed_texts(list(names))
            except ValueError as error:
                log.warning("relevance is unknown: the model %r tells no names apart: %s", model.name, error)
        names_of = None if self._vectors is None else self._vectors[1]
        found = measure(sample, names_of, len(index))
        self._known = model.fingerprint, found
        if names_of is not None:
            _write(self._library.index_folder(model) / FILE, found, names_of)
        return found


def _suffices(known: Background, index: VectorIndex, *, with_words: bool) -> bool:
    return not _has_grown(known.photos, len(index)) and (known.words is not None or not with_words)


def _has_grown(then: int, now: int) -> bool:
    return abs(now - then) > max(SMALL, GROWN * then) or (then < SMALL and now != then)


def _write(path: Path, background: Background, names: Floats) -> None:
    """Whole or not at all; a library that cannot be written to does without."""
    partial = path.with_suffix(f".{threading.get_native_id()}.partial")
    try:
        with partial.open("wb") as file:
            np.savez(
                file,
                version=VERSION,
                photos=background.photos,
                mean=background.mean,
                moments=background.moments,
                levels=np.array([astuple(level) for level in (background.words, background.pictures) if level]),
                names=names.astype(np.float16),
            )
        partial.replace(path)
    except OSError as error:
        log.info("what relevance is compared with is not kept: %s", error)
        partial.unlink(missing_ok=True)


def _read(path: Path, dim: int) -> tuple[Background, Floats] | None:
    """What was kept, with the names' vectors; None where there is nothing that can be used."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if int(file["version"]) != VERSION:
                return None
            words, pictures = (Level(*map(float, row)) for row in file["levels"])
            found = Background(int(file["photos"]), file["mean"], file["moments"], words, pictures)
            names = file["names"].astype(np.float32)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        log.info("%s cannot be used and is made again: %s", path, error)
        return None
    sound = found.mean.shape == (dim,) and found.moments.shape == (dim, dim) and names.shape[1:] == (dim,)
    numbers = (found.mean, found.moments, names, np.array([astuple(words), astuple(pictures)]))
    return (found, names) if sound and all(np.isfinite(part).all() for part in numbers) else None
