"""The composition root: settings in, ready services out. CLI, API and page are handed what it builds.

It loads no model and reads no photo: both wait until something needs them. So do the parts of the program that not
every command needs: they are imported when they are built, or first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from app.duplicates.duplicate_service import DuplicateService
    from app.search.dropped_pictures import DroppedPictures
    from app.search.embedders import Embedders, ModelChoice
    from app.search.live_index import LiveIndex
    from app.search.paging.cursors import Cursors
    from app.search.picture_decoder import PictureDecoder
    from app.search.search_service import SearchService
    from app.settings import Settings
    from app.tagging.export.export_service import ExportService
    from app.tagging.review import ReviewQueue
    from app.tagging.tagging_service import TaggingService
    from indexer.catalog.records import ModelRecord
    from indexer.embedder import Embedder
    from indexer.library import Library


@dataclass(frozen=True)
class Services:
    """Everything that the faces of picsift use, built once.

    Attributes:
        settings: what the person set.
        library: the opened library.
        search: answers queries with the library's active model.
        embedders: one for each model.
        decoder: decodes pictures that are searched by or looked at, in processes of its own.
        dropped: pictures that were dropped on the page.
    """

    settings: Settings
    library: Library
    search: SearchService
    embedders: Embedders
    decoder: PictureDecoder
    dropped: DroppedPictures

    @cached_property
    def tagging(self) -> TaggingService:
        """Suggests tags, and learns from what becomes of them."""
        from app.tagging.tagging_service import TaggingService

        return TaggingService(self.library, self.search.live, self.embedders.of)

    @cached_property
    def review(self) -> ReviewQueue:
        """Asks about suggestions, and takes the answers in."""
        from app.tagging.review import ReviewQueue

        return ReviewQueue(self.library)

    @cached_property
    def cursors(self) -> Cursors:
        """Names of the pages that follow searches."""
        from app.search.paging.cursors import Cursors

        return Cursors()

    @cached_property
    def duplicates(self) -> DuplicateService:
        """Groups photos that are one picture."""
        from app.duplicates.duplicate_service import DuplicateService

        return DuplicateService(self.library, self.search.live)

    @cached_property
    def exports(self) -> ExportService:
        """Writes tags beside the photos, and takes them back."""
        from app.tagging.export.export_service import ExportService

        return ExportService(self.library)

    @cached_property
    def lean_search(self) -> SearchService:
        """The same search, for which NumPy embeds words, as in a command: torch in bfloat16 differs by some 0.003."""
        from app.search.embedders import Embedders
        from indexer.embedder import NUMPY, Embedder

        device = NUMPY if self.settings.device in ("auto", "cpu") else self.settings.device
        models = self.settings.converted_models
        embedders = Embedders(
            lambda name: Embedder(name, device=device, precision=self.settings.precision, converted=models),
            lambda model: _earlier(model, models),
        )
        return self.search.with_embedders(embedders.of if device == NUMPY else self.embedders.of)

    @property
    def embedder(self) -> Embedder:
        """The embedder for indexing: the model asked for, else the library's own, else the built-in one."""
        return self.model_choice()().embedder

    def embedder_for(self, name: str) -> Embedder:
        """The embedder of the model that a name stands for now."""
        return self.embedders.named(name)

    def model_choice(self) -> ModelChoice:
        """What says, before each run, which model it embeds with."""
        from app.search.embedders import ModelChoice

        return ModelChoice(self.library.catalog, self.embedders, self.settings.model)

    def close(self) -> None:
        """Let go of the library's files, of pictures and of the processes that decode them."""
        self.dropped.close()
        self.search.live.close()
        self.decoder.close()
        self.library.catalog.close()


def build_services(
    settings: Settings,
    *,
    create: bool = False,
    new_embedder: Callable[..., Embedder] | None = None,
    meanwhile: Callable[[LiveIndex, Embedders], None] | None = None,
) -> Services:
    """Open the library and put the services together.

    Args:
        settings: where the library is and how to run.
        create: make the library when there is none; else that is a LibraryError.
        new_embedder: called with a model's name, `device`, `precision` and `converted`; None makes an `Embedder`.
        meanwhile: is handed what may be begun while the rest is imported.
    """
    from app.search.embedders import Embedders
    from app.search.live_index import LiveIndex
    from indexer.embedder import Embedder
    from indexer.library import open_library

    library = open_library(settings.library, create=create)
    make = new_embedder or Embedder
    embedders = Embedders(
        lambda name: make(
            name, device=settings.device, precision=settings.precision, converted=settings.converted_models
        ),
        lambda model: _earlier(model, settings.converted_models),
    )
    live = LiveIndex(library, device=settings.device, exact_up_to=settings.exact_up_to)
    if meanwhile is not None:
        meanwhile(live, embedders)
    from app.search.dropped_pictures import DroppedPictures
    from app.search.picture_decoder import PictureDecoder
    from app.search.search_service import SearchService

    decoder = PictureDecoder(
        max_pixels=settings.max_pixels, timeout_s=settings.decode_timeout_s, memory_mb=settings.decode_memory_mb
    )
    return Services(
        settings=settings,
        library=library,
        search=SearchService(
            library,
            embedders.of,
            decoder,
            live=live,
            names=_plain_names,
        ),
        embedders=embedders,
        decoder=decoder,
        dropped=DroppedPictures(),
    )


def _earlier(model: ModelRecord, converted: Path | None) -> str | None:
    from indexer.embedder import Shelf

    found = Shelf(converted).earlier_weights(model.name, model.fingerprint)
    return None if found is None else str(found)


def _plain_names() -> Sequence[str]:
    from app.tagging.vocabulary.vocabulary import plain_names

    return plain_names()
