"""The vector index of the library's active model, kept in step with the catalog while others write to it.

It neither embeds nor ranks. A repair is said in the log.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.catalog.columns.photo_set import PhotoSet
from indexer.catalog.frame_ids import FIRST_FRAME, photo_of
from indexer.catalog.records import ModelRecord
from indexer.errors import PicsiftError
from indexer.library import Library
from indexer.vectors.index import EXACT_UP_TO, VectorIndex
from indexer.vectors.repair import refresh

Result = TypeVar("Result")
TRIES = 3

log = logging.getLogger(__name__)


class EmptyLibraryError(PicsiftError):
    """Nothing has been indexed yet."""


class LiveIndex:
    """Opens the index when it is first asked for, and reads on whenever the catalog's generation moved."""

    def __init__(self, library: Library, *, device: str = "auto", exact_up_to: int | None = None):
        self.tends = False  # a process that stays has a large index ordered for quick searches, in the background
        self.once = False  # one that ends soon copies no vectors into its memory
        self._exact_up_to = EXACT_UP_TO if exact_up_to is None else exact_up_to
        self._library = library
        self._device = device
        self._lock = threading.Lock()
        self._model: tuple[object, ModelRecord] | None = None  # and the catalog's version then
        self._fingerprint: str | None = None
        self._ready: tuple[VectorIndex, str, object] | None = None  # with its model, and the catalog's version then
        self._index: VectorIndex | None = None
        self._ahead: VectorIndex | None = None  # one that was read and not compared with the catalog yet
        self._opening = False
        self._held: tuple[tuple[VectorIndex, int, str], NDArray[np.int64], PhotoSet] | None = None

    @property
    def device(self) -> str | None:
        """Where the index is searched: "cpu" or "cuda:0"; None before it is opened."""
        index = self._index
        return None if index is None else index.device

    def model(self) -> ModelRecord:
        """The model whose vectors answer.

        Raises:
            EmptyLibraryError: no photo has been indexed.
        """
        version, known = self._library.catalog.version(), self._model
        if known is not None and known[0] == version:
            return known[1]
        model = self._library.catalog.active_model()
        if model is not None:
            self._model = version, model
            return model
        if self._library.catalog.counts().photos:
            raise EmptyLibraryError("the first indexing of this library is not complete yet. Run: picsift index")
        raise EmptyLibraryError(f"the library at {self._library.folder} holds no photos yet. Run: picsift index FOLDER")

    def index(self, model: ModelRecord) -> VectorIndex:
        """That model's index, in step with the catalog as it is now; it may be searched from any thread."""
        catalog = self._library.catalog
        version = catalog.version.anew()  # the query was embedded meanwhile, which may take seconds
        if (ready := self._in_step_with(model, version)) is not None:  # nobody waits for anybody
            return self._tended(ready)
        with self._lock:
            version = catalog.version.anew()
            index = self._index
            if index is None or self._fingerprint != model.fingerprint:
                self.close(wait=False)
                index = self._index = self._read(model)
                self._fingerprint = model.fingerprint
                in_step = False
            else:
                in_step = self._in_step_with(model, version) is not None or self._is_of_this_generation(index, model)
            if not in_step and (repaired := refresh(index, catalog, model.id)):
                log.warning("%s", repaired)
            self._ready = index, model.fingerprint, version
            return self._tended(index)

    def close(self, *, wait: bool = True) -> None:
        """End what the index does in the background."""
        if self._index is not None:
            self._index.close(wait=wait)

    def _tended(self, index: VectorIndex) -> VectorIndex:
        if self.tends:
            index.tend()
        return index

    def read_ahead(self) -> None:
        """Have a thread read the index of the model that answers, while the caller has other work; it repairs nothing.

        What goes wrong is met again by whoever asks for the index.
        """
        threading.Thread(target=self._read_quietly, name="index-file", daemon=True).start()

    def _read_quietly(self) -> None:
        with suppress(Exception), self._lock:
            self._ahead = self._open(self.model())

    def _read(self, model: ModelRecord) -> VectorIndex:
        ahead, self._ahead = self._ahead, None
        return self._open(model) if ahead is None or ahead.fingerprint != model.fingerprint else ahead

    def open_meanwhile(self, model: ModelRecord) -> None:
        """Have an index that is not open yet read by a thread of its own, while the caller embeds what it looks for.

        What goes wrong is raised to whoever asks for the index, and nobody waits for the thread: a command that has
        said what is wrong ends.
        """
        if self._index is None and not self._opening:
            self._opening = True
            threading.Thread(target=self._open_quietly, args=(model,), name="index", daemon=True).start()

    def _open_quietly(self, model: ModelRecord) -> None:
        try:
            with suppress(Exception):
                self.index(model)
        finally:
            self._opening = False

    def _in_step_with(self, model: ModelRecord, version: object) -> VectorIndex | None:
        """The index, if it is that model's and was in step with that version of the catalog."""
        ready = self._ready  # as a whole: another thread may change it
        return ready[0] if ready is not None and ready[1:] == (model.fingerprint, version) else None

    def _is_of_this_generation(self, index: VectorIndex, model: ModelRecord) -> bool:
        """Whether nothing of the embeddings has changed; of a file that was just opened this says too little."""
        catalog = self._library.catalog
        generation = catalog.generation(model.id)
        return (index.generation, index.token) == (generation, catalog.token(model.id, generation) or "")

    def of_one_file(self, answer: Callable[[], Result]) -> Result:
        """An answer for the catalog as it is now, or as it is when the index is asked: see DataVersion.anew.

        It is given again where the database is another file by its end: ids stand for other photos there.
        """
        version = self._library.catalog.version
        for _ in range(TRIES):
            with version.held() as (opened, _changes):
                found = answer()
            if version.is_still(opened):
                break
        return found

    def frames(self, index: VectorIndex) -> NDArray[np.int64]:
        """The ids of the videos' frames in that index, posters aside: (f,), ascending."""
        return self._held_by(index)[1]

    def photos(self, index: VectorIndex) -> PhotoSet:
        """The photos in that index."""
        return self._held_by(index)[2]

    def _held_by(self, index: VectorIndex) -> tuple[object, NDArray[np.int64], PhotoSet]:
        known, state = self._held, (index, index.generation, index.token)
        if known is None or known[0] != state:
            ids = index.ids()
            known = self._held = (state, ids[np.searchsorted(ids, FIRST_FRAME) :], PhotoSet.of(photo_of(ids)))
        return known

    def _open(self, model: ModelRecord) -> VectorIndex:
        return VectorIndex.open(
            self._library.index_folder(model),
            dim=model.dim,
            fingerprint=model.fingerprint,
            device=self._device,
            exact_up_to=self._exact_up_to,
            mapped=self.once,
        )
