"""A world of plain colours for tests of app: photos of one colour, and an embedder that knows colours by name.

The embedder is written by hand and goes in at the composition root; catalog, index, files and pipeline are real.
"""

import os
import shutil
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from app.bootstrap import Services, build_services
from app.settings import Settings
from indexer.catalog.catalog import Catalog
from indexer.catalog.stamps import Restamp, changed_ns, inode_of
from indexer.errors import ModelError
from indexer.pipeline import SyncReport, sync
from tests.app.mean_colour import mean_colour

NAMES = {
    "red": (230, 20, 20),
    "green": (20, 230, 20),
    "blue": (20, 20, 230),
    "yellow": (230, 230, 20),
    "purple": (150, 20, 230),
    "black": (10, 10, 10),
}
DIM = 8
OPENED: list[Services] = []
"""What was built by the test that runs; conftest.py ends their processes after it."""


@dataclass
class ColourEmbedder:
    """Embeds a picture as its mean colour, and a text as the mean of the colours that it names."""

    name: str = "colours"
    fingerprint: str = "c0" * 32
    dim: int = DIM
    image_size: int = 16
    device: str = "cpu"
    precision: str = "fp32"
    loaded: bool = False
    texts: list[str] = field(default_factory=list)
    images: int = 0
    turn: int = 0  # which axes the colours lie on: another model sees the same picture elsewhere
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    is_current = True

    def plan(self) -> tuple[str, str]:
        return self.device, self.precision

    def warm(self) -> None: ...

    def load(self, stop=lambda: False) -> bool:
        return True

    prepare = staticmethod(mean_colour)

    def embed_prepared(self, prepared: list[np.ndarray]) -> np.ndarray:
        return self._vectors(prepared).astype(np.float16)

    def embed_squares(self, prepared: list[np.ndarray]) -> np.ndarray:
        self.images += len(prepared)
        return self._vectors(prepared)

    def embed_cells(self, square: np.ndarray) -> tuple[np.ndarray, bool]:
        return self._vectors([square])[None], False

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        assert self._one_at_a_time.acquire(blocking=False), "two threads embed at once"
        try:
            time.sleep(0.002)  # long enough for another thread to come in, if one may
            self.texts += texts
            return self._vectors([_colour(text) for text in texts])
        finally:
            self._one_at_a_time.release()

    def _vectors(self, colours: list[np.ndarray]) -> np.ndarray:
        vectors = np.zeros((len(colours), self.dim), np.float32)
        if colours:
            vectors[:, self.turn : self.turn + 3] = np.asarray(colours, np.float32) / 255
            vectors[:, -1] = 0.05
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@lru_cache(20_000)
def _colour(text: str) -> np.ndarray:
    named = [NAMES[word] for word in text.lower().split() if word in NAMES]
    return np.mean(named or [(255, 255, 255)], axis=0)


class World:
    """A folder of photos, a library, and services over both."""

    def __init__(self, folder: Path, *embedders: ColourEmbedder):
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.settings = Settings(library=folder / "library", min_relevance=0)  # plain colours tell none
        self.embedders = {embedder.name: embedder for embedder in embedders or (ColourEmbedder(),)}
        self.model = next(iter(self.embedders))
        self.known: tuple[list[int], dict[int, str]] | None = None

    @property
    def embedder(self) -> ColourEmbedder:
        return self.embedders[self.model]

    def write(self, name: str, colour: str | tuple[int, int, int], taken_at: datetime | None = None) -> Path:
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (32, 24), NAMES.get(colour, colour))
        exif = image.getexif()
        if taken_at is not None:
            exif[0x0132] = f"{taken_at:%Y:%m:%d %H:%M:%S}"  # DateTime
            exif.get_ifd(0x8769)[0x9003] = f"{taken_at:%Y:%m:%d %H:%M:%S}"  # DateTimeOriginal
        image.save(path, exif=exif)
        if taken_at is None:
            os.utime(path, (0, 0))  # where a clock starts that was never set: no date
        return path

    def services(self, *, create: bool = True) -> Services:
        services = build_services(self.settings, create=create, new_embedder=self._new_embedder)
        OPENED.append(services)
        return services

    def services_over_a_copy(self, indexed: "World") -> Services:
        """Services over that world's library, whose photos lie here, too, as files that it has read."""
        shutil.copytree(indexed.settings.library, self.settings.library)
        services = self.services()
        catalog = services.library.catalog
        roots, photos = indexed.known or indexed.know(catalog)
        for root in roots:
            catalog.rename_root(root, self.photos)
        files = {number: (self.photos / path).stat() for number, path in photos.items()}
        catalog.restamp([Restamp(number, changed_ns(file), inode_of(file), "") for number, file in files.items()])
        return services

    def know(self, catalog: Catalog) -> tuple[list[int], dict[int, str]]:
        """Keep the numbers of the roots and where the photos lie below them, as a copy of its catalog says."""
        roots = catalog.roots()
        photos = catalog.photos(range(1, sum(1 for path in self.photos.rglob("*") if path.is_file()) + 1))
        self.known = (
            [root.id for root in roots],
            {photo.id: str(photo.path.relative_to(self.photos)) for photo in photos},
        )
        return self.known

    def index(self, model: str | None = None, *, videos: bool | None = None) -> SyncReport:
        services, self.known = self.services(), None
        return sync(
            services.library,
            self.embedders[model or self.model],
            [self.photos],
            workers=1,
            batch_size=8,
            max_pixels=10_000_000,
            videos=videos,
        )

    def take_over(self, other: "World") -> Services:
        """Have a copy of the photos of another world, too."""
        shutil.copytree(other.photos, self.photos, dirs_exist_ok=True)
        return self.services_over_a_copy(other)

    def _new_embedder(self, name: str, **_: str) -> ColourEmbedder:
        if name not in self.embedders:
            raise ModelError(f"no model is called {name!r}.")
        return self.embedders[name]


def names(hits) -> list[str]:
    return [hit.photo.path.name for hit in hits]
