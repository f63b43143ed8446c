"""The composition root: settings in, ready services out. CLI, API and page are handed what it builds.

It loads no model and reads no photo: both wait until something needs them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.search.dropped_pictures import DroppedPictures
from app.search.embedders import Embedders, ModelChoice
from app.search.picture_decoder import PictureDecoder
from app.search.search_service import SearchService
from app.settings import Settings
from app.tagging.export.export_service import ExportService
from app.tagging.tagging_service import TaggingService
from app.tagging.vocabulary.vocabulary import plain_names
from indexer.embedder import Embedder
from indexer.library import Library, open_library


@dataclass(frozen=True)
class Services:
    """Everything that the faces of picsift use, built once.

    Attributes:
        settings: what the person set.
        library: the opened library.
        search: answers queries with the library's active model.
        tagging: suggests tags, and learns from what becomes of them.
        exports: writes tags beside the photos, and takes them back.
        embedders: one for each model.
        decoder: decodes pictures that are searched by or looked at, in processes of its own.
        dropped: pictures that were dropped on the page.
    """

    settings: Settings
    library: Library
    search: SearchService
    tagging: TaggingService
    exports: ExportService
    embedders: Embedders
    decoder: PictureDecoder
    dropped: DroppedPictures

    @property
    def embedder(self) -> Embedder:
        """The embedder for indexing: the model asked for, else the library's own, else the built-in one."""
        return self.model_choice()().embedder

    def embedder_for(self, name: str) -> Embedder:
        """The embedder of the model that a name stands for now."""
        return self.embedders.named(name)

    def model_choice(self) -> ModelChoice:
        """What says, before each run, which model it embeds with."""
        return ModelChoice(self.library.catalog, self.embedders, self.settings.model)

    def close(self) -> None:
        """Let go of the library's files, of pictures and of the processes that decode them."""
        self.dropped.close()
        self.decoder.close()
        self.library.catalog.close()


def build_services(
    settings: Settings, *, create: bool = False, new_embedder: Callable[..., Embedder] = Embedder
) -> Services:
    """Open the library and put the services together.

    Args:
        settings: where the library is and how to run.
        create: make the library when there is none; else that is a LibraryError.
        new_embedder: called with a model's name, `device` and `precision`.
    """
    library = open_library(settings.library, create=create)

    embedders = Embedders(lambda name: new_embedder(name, device=settings.device, precision=settings.precision))
    decoder = PictureDecoder(
        max_pixels=settings.max_pixels, timeout_s=settings.decode_timeout_s, memory_mb=settings.decode_memory_mb
    )
    search = SearchService(library, embedders.of, decoder, device=settings.device, names=plain_names)
    return Services(
        settings=settings,
        library=library,
        search=search,
        tagging=TaggingService(library, search.live, embedders.of),
        exports=ExportService(library),
        embedders=embedders,
        decoder=decoder,
        dropped=DroppedPictures(),
    )
