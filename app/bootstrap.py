"""The composition root: settings in, ready services out. CLI, API and page are handed what it builds.

It loads no model and reads no photo: both wait until something needs them.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from app.export import ExportService
from app.search import SearchService
from app.settings import Settings
from app.tagging import TaggingService
from indexer.embedder import Embedder
from indexer.library import Library, open_library

DEFAULT_MODEL = "builtin"


@dataclass(frozen=True)
class Services:
    """Everything that the faces of picsift use, built once.

    Attributes:
        settings: what the person set.
        library: the opened library.
        search: answers queries with the library's active model.
        tagging: suggests tags, and learns from what becomes of them.
        exports: writes tags beside the photos, and takes them back.
        embedder_for: model name -> embedder, one for each name.
    """

    settings: Settings
    library: Library
    search: SearchService
    tagging: TaggingService
    exports: ExportService
    embedder_for: Callable[[str], Embedder]

    @property
    def embedder(self) -> Embedder:
        """The embedder for indexing: the model asked for, else the library's own, else the built-in one."""
        if self.settings.model is not None:
            return self.embedder_for(self.settings.model)
        active = self.library.catalog.active_model()
        return self.embedder_for(DEFAULT_MODEL if active is None else active.name)

    def close(self) -> None:
        """Let go of the library's files."""
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

    @functools.cache
    def embedder_for(name: str) -> Embedder:
        return new_embedder(name, device=settings.device, precision=settings.precision)

    search = SearchService(library, embedder_for, device=settings.device, max_pixels=settings.max_pixels)
    return Services(
        settings=settings,
        library=library,
        search=search,
        tagging=TaggingService(library, search.live, embedder_for),
        exports=ExportService(library),
        embedder_for=embedder_for,
    )
