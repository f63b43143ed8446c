"""The part of the catalog that knows models, vectors and settings, on the database that the whole catalog works on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from indexer.catalog.absence_catalog import AbsenceCatalog
from indexer.catalog.data_version import DataVersion
from indexer.catalog.database import file_of, reading, writing
from indexer.catalog.stores import embedding_store, frame_store, model_store, setting_store
from indexer.catalog.word_catalog import WordCatalog
from indexer.counted import counted
from indexer.errors import LibraryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection, Engine

    from indexer.catalog.export_catalog import ExportCatalog
    from indexer.catalog.records import FailedPhoto, ModelRecord, StoredModel
    from indexer.catalog.tag_catalog import TagCatalog

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class ModelCatalog:
    """Models, their embeddings of photos and of videos' frames, and which of them answers."""

    def __init__(self, engine: Engine) -> None:
        """Work on an open database (`indexer.catalog.database.open_database`)."""
        self.engine = engine
        self.version = DataVersion(engine)
        self.absences = AbsenceCatalog(engine)
        self.words = WordCatalog(engine)
        self._told = set[int]()  # photos with damaged vectors that could not be dropped

    @cached_property
    def tags(self) -> TagCatalog:
        """Photos' tags, and what people said of them."""
        from indexer.catalog.tag_catalog import TagCatalog

        return TagCatalog(self.engine)

    @cached_property
    def exports(self) -> ExportCatalog:
        """The journal of exports."""
        from indexer.catalog.export_catalog import ExportCatalog

        return ExportCatalog(self.engine)

    def close(self) -> None:
        """Let go of the database; a later call opens it again."""
        self.version.close()
        self.engine.dispose()

    def model(self, name: str, fingerprint: str, dim: int) -> ModelRecord:
        """Give the model with this fingerprint, entered if it is new. ModelError where its dimension is another one."""
        return self._write(model_store.model, name, fingerprint, dim)

    def active_model(self) -> ModelRecord | None:
        """Give the model that answers searches."""
        return self._read(model_store.active_model)

    def activate(self, model_id: int) -> None:
        """Let this model answer searches from now on."""
        self._write(model_store.activate, model_id)

    def models(self) -> list[StoredModel]:
        """Give every model with what the library holds of it, in the order of their coming."""
        return self._read(model_store.stored)

    def fingerprints(self) -> list[str]:
        """Give the fingerprint of every model, without a look at what the library holds of it."""
        return self._read(model_store.fingerprints)

    def embedded_only_by(self, model_id: int) -> int:
        """Count the photos that a model has embedded and the one that answers has not; 0 where none answers."""
        return self._read(model_store.embedded_only_by, model_id)

    def drop_model(self, model_id: int, *, step: int = 4096) -> None:
        """Delete a model that does not answer, its vectors first, of `step` photos in a transaction; tags stay.

        Raises:
            ValueError: it answers.
        """
        while self._write(model_store.drop_some, model_id, step):
            pass
        self._write(model_store.drop, model_id)

    def generation(self, model_id: int) -> int:
        """Give the number of transactions that added, replaced or dropped embeddings of a model."""
        return self._read(embedding_store.generation, model_id)

    def token(self, model_id: int, number: int) -> str | None:
        """Give what tells a generation from any other, of this database before a restore too; None where unknown."""
        return self._read(embedding_store.token, model_id, number)

    def embedding_count(self, model_id: int) -> int:
        """Count the photos and frames that a model has embedded."""
        return self._read(embedding_store.embedding_count, model_id)

    def changed_since(self, model_id: int, generation: int) -> int:
        """Count the photos that a model has embedded after a generation, for the first time or again."""
        return self._read(embedding_store.changed_since, model_id, generation)

    def embedding_ids(self, model_id: int) -> NDArray[np.int64]:
        """Give the ids of the photos and frames that a model has embedded: (n,), sorted."""
        return self._read(embedding_store.embedding_ids, model_id)

    def frame_ids(self, model_id: int) -> NDArray[np.int64]:
        """Give the ids of the videos' frames, posters aside, that a model has embedded: (f,), sorted."""
        return self._read(frame_store.ids, model_id)

    def moments(self, model_id: int, index_ids: Iterable[int]) -> dict[int, float]:
        """Give when those of these that are frames are shown, in seconds from the start of their video."""
        return self._read(frame_store.moments, model_id, index_ids)

    def embeddings(
        self, model_id: int, *, since: int = 0, batch_size: int = 4096
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
        """Stream the ids (n,) and vectors (n, dim) written after generation `since`: one snapshot, in order of ids.

        Damaged ones are left out, and dropped at the end.
        """
        damaged = set[int]()
        with reading(self.engine) as connection:
            yield from embedding_store.embeddings(connection, model_id, since, batch_size, damaged)
        self._discard(model_id, damaged)

    def embedding_of(self, photo_id: int, model_id: int) -> NDArray[np.float16] | None:
        """Give one photo's vector (dim,), or None; so too where it is damaged, which is dropped."""
        vectors = self.embeddings_of([photo_id], model_id)[1]
        return vectors[0] if len(vectors) else None

    def embeddings_of(self, photo_ids: Sequence[int], model_id: int) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Give those of photos that have one: ids (n,) and vectors (n, dim); damaged ones are dropped."""
        damaged = set[int]()
        found = self._read(embedding_store.embeddings_of, photo_ids, model_id, damaged)
        self._discard(model_id, damaged)
        return found

    def embedding_sample(self, model_id: int, least: int) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Give ids (n,) and vectors (n, dim) of photos, spread over the library: `least` or more, below twice as many.

        The others are not read, which in a library of a million would take seconds.
        """
        ids = self._read(embedding_store.photo_ids, model_id)
        return self.embeddings_of(ids[:: max(1, len(ids) // least)].tolist(), model_id)

    def _discard(self, model_id: int, damaged: set[int]) -> None:
        """Drop vectors that cannot be used, and say so, once: the next run embeds those photos again."""
        new = damaged - self._told
        if not new:
            return
        try:
            lost = len(self._write(embedding_store.discard_unsound, model_id, sorted(new)))
        except LibraryError:  # a library that is only read
            self._told |= new
            lost = len(new)
        if lost:
            _log.warning(
                "%s holds damaged vectors of %s, which cannot be found until they are embedded again: run "
                "'picsift index'. If this comes again, look after the disk and the memory of this machine.",
                file_of(self.engine),
                counted(lost, "photo"),
            )

    def embedded(self, model_id: int) -> int:
        """Count the photos that a model has embedded."""
        return self._read(embedding_store.embedded, model_id)

    def lacking(self, model_id: int) -> NDArray[np.int64]:
        """Give the ids (n,) of sound photos, not missing, that a model has yet to embed, sorted."""
        return self._read(embedding_store.lacking, model_id)

    def note_failures(self, root_id: int, model_id: int, failures: Sequence[FailedPhoto]) -> None:
        """Remember why a model could not be given known photos of a root; all else that is known of them stays."""
        self._write(model_store.note, root_id, model_id, failures, datetime.now(UTC))

    def embedding_failures(self, model_id: int) -> dict[int, str]:
        """Give why photos, by their ids, could not be embedded by a model, the latest failure first."""
        return self._read(model_store.reasons, model_id)

    def setting(self, key: str) -> str | None:
        """Give a value that was kept for the library, or None."""
        return self._read(setting_store.setting, key)

    def set_setting(self, key: str, value: str) -> None:
        """Keep a value for the library."""
        self._write(setting_store.set_setting, key, value)

    def _read(self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with reading(self.engine) as connection:
            return work(connection, *args, **kwargs)

    def _write(self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with writing(self.engine) as connection:
            return work(connection, *args, **kwargs)
