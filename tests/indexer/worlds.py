"""A folder of drawn photos, a library over it and a tiny real model: what the pipeline's tests work on."""

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from clip_model.checkpoint import save_model
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.model import CLIP
from indexer.catalog.frame_ids import FIRST_FRAME, number_of, photo_of
from indexer.catalog.photo_filter import PhotoFilter
from indexer.embedder import Embedder
from indexer.library import open_library
from indexer.pipeline import sync
from indexer.vectors.index import VectorIndex


def draw(seed, size=(96, 72)):
    """A picture that no other seed draws."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@lru_cache(512)
def drawn_file(seed, suffix):
    """The bytes of a file of the picture of a seed; many tests write the same few."""
    content = io.BytesIO()
    draw(seed).save(content, Image.registered_extensions()[suffix.lower()])
    return content.getvalue()


def another_model(path):
    """An embedder of random weights that no other one has, with fewer layers and more dimensions than the usual one."""
    config = CLIPConfig(
        embed_dim=24,
        vision=VisionConfig(image_size=32, layers=1, width=32, patch_size=16, head_width=16),
        text=TextConfig(width=16, heads=2, layers=1),
    )
    save_model(CLIP(config), path)
    return Embedder(str(path), device="cpu", precision="fp32")


class World:
    """Photos in `photos`, the library in `library`."""

    def __init__(self, folder: Path, model: Path):
        self.photos = folder / "photos"
        self.photos.mkdir(parents=True)
        self.library_folder = folder / "library"
        self.model = model
        self.library = open_library(self.library_folder, create=True)
        self.embedder = Embedder(str(model), device="cpu", precision="fp32")

    def write(self, name, content):
        """A photo drawn from a seed, or the bytes given; in any format by its suffix."""
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else drawn_file(content, path.suffix))
        return path

    def sync(self, *folders, **options):
        options.setdefault("workers", 2)
        return sync(self.library, options.pop("embedder", self.embedder), folders or [self.photos], **options)

    @property
    def active(self):
        return self.library.catalog.active_model()

    def index(self):
        model = self.active
        return VectorIndex.open(
            self.library.index_folder(model), dim=model.dim, fingerprint=model.fingerprint, device="cpu"
        )

    def nearest(self, seed):
        """The name of the photo nearest to a drawn picture, relative to the photos' folder."""
        ids, _ = self.index().search(self.embedder.embed_images([draw(seed)]), 1)[0]
        (photo,) = self.library.catalog.photos([int(ids[0])])
        return photo.path.relative_to(self.photos).as_posix()

    def names(self):
        """Every sound photo that the catalog has, by its path relative to the photos' folder."""
        ids = self.library.catalog.allowed_ids(self.active.id, PhotoFilter())
        photos = self.library.catalog.photos([int(i) for i in ids])
        return sorted(photo.path.relative_to(self.photos).as_posix() for photo in photos)

    def assert_agreement(self, *, kills=False):
        """Catalog, index, thumbnails and folder tell the same story.

        A kill may cost thumbnails, which the page makes again when it needs them; it leaves none that nobody needs.
        """
        catalog, model = self.library.catalog, self.active
        index = self.index()
        assert index.problem is None
        assert index.ids().tolist() == catalog.embedding_ids(model.id).tolist()
        for ids, vectors in catalog.embeddings(model.id):
            for photo_id, vector in zip(ids, vectors, strict=True):
                np.testing.assert_array_equal(index.vector(int(photo_id)), vector)
        photos = catalog.photos([number for number in index.ids().tolist() if number < FIRST_FRAME])
        assert {photo.id for photo in photos} == set(photo_of(index.ids()).tolist())
        thumbnails = self.library.thumbnails
        kept = set(thumbnails.folder.rglob("*.webp"))
        needed = {thumbnails.path(photo.content_hash) for photo in photos}
        of_photo = {photo.id: photo.content_hash for photo in photos}
        for number in index.ids().tolist():
            needed.add(thumbnails.path(of_photo[photo_of(number)], number_of(number)))
        assert kept <= needed if kills else kept == needed
        assert all(photo.path.is_file() for photo in photos)
