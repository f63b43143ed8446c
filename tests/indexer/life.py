"""What people and other programs do to folders of photos, on real folders, with a memory of what lies where."""

import io
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from tests.in_memory import DISK, place_on_disk
from tests.indexer.worlds import World, draw

ROOTS = ("one", "two")
NAMES = tuple(f"{folder}{name}.jpg" for folder in ("", "x/", "x/y/") for name in "abc")
_DESCRIPTION, _ORIGINAL = 0x010E, 0x9003
_VECTORS: dict[tuple[Path, int], np.ndarray] = {}


class Life:
    """Two roots and a library over them.

    Attributes:
        world: the library; its photos are those of both roots.
        files: what lies in the roots, also in those that are away: (root, name) -> seed of the picture, its caption.
        away: roots that are unmounted.
    """

    def __init__(self, model: Path):
        where = os.environ.get(DISK) or place_on_disk()  # where numbers of files are given again
        self.folder = Path(tempfile.mkdtemp(dir=where))
        self.world = World(self.folder, model)
        self.files: dict[tuple[str, str], tuple[int, str]] = {}
        self.away: set[str] = set()
        self._clock = 1_600_000_000
        for number, root in enumerate(ROOTS):
            (self.world.photos / root).mkdir()
            for name in ("first.jpg", "second.jpg"):  # a root with nothing in it is a case of its own
                self.put((root, name), 100 + number, "")

    def close(self):
        self.world.library.catalog.close()
        shutil.rmtree(self.folder)

    def path(self, place):
        """Where a file lies now: a root that is away lies elsewhere."""
        root, name = place
        return (self.folder / f"away-{root}" if root in self.away else self.world.photos / root) / name

    @property
    def roots(self):
        return [self.world.photos / root for root in ROOTS]

    @property
    def here(self):
        return {place: what for place, what in self.files.items() if place[0] not in self.away}

    def put(self, place, seed, caption):
        path = self.path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.save(path, seed, caption)
        self.files[place] = (seed, caption)

    def tag(self, place, caption):
        """Metadata written by another program: into a file beside it, which then takes its name."""
        path, seed = self.path(place), self.files[place][0]
        self.save(path.with_name("writing.tmp"), seed, caption)
        path.with_name("writing.tmp").replace(path)
        self.files[place] = (seed, caption)

    def rewrite(self, place, seed):
        """Another picture in the very same file, as long as before where that can be, and dated back."""
        path = self.path(place)
        before = path.stat()
        with path.open("r+b") as file:
            file.write(drawn(seed, "").ljust(before.st_size, b"\0"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.files[place] = (seed, "")

    def exchange(self, one, other):
        """Two files change places, and get one time."""
        if one == other:
            return
        here, there = self.path(one), self.path(other)
        aside = self.folder / "aside"
        for source, target in ((here, aside), (there, here), (aside, there)):
            source.rename(target)
        self.files[one], self.files[other] = self.files[other], self.files[one]
        self._stamp(here)
        os.utime(there, (self._clock, self._clock))

    def send(self, place, seed):
        """The first part of a file that is made in full length, dated by its sender; gives what sends the rest."""
        path, content = self.path(place), drawn(seed, "")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[: len(content) * 6 // 10].ljust(len(content), b"\0"))
        self._stamp(path)
        before = path.stat()

        def rest():
            with path.open("r+b") as file:
                file.write(content)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            self.files[place] = (seed, "")

        self.files.pop(place, None)
        return rest

    def move(self, source, target):
        path = self.path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path(source).replace(path)
        self.files[target] = self.files.pop(source)

    def copy(self, source, target):
        path = self.path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path(source), path)
        self._stamp(path)
        self.files[target] = self.files[source]

    def delete(self, place):
        self.path(place).unlink()
        del self.files[place]

    def touch(self, place):
        self._stamp(self.path(place))

    def unmount(self, root, *, leaves_mount_point):
        (self.world.photos / root).rename(self.folder / f"away-{root}")
        self.away.add(root)
        if leaves_mount_point:
            (self.world.photos / root).mkdir()

    def mount(self, root):
        here = self.world.photos / root
        if here.exists():
            here.rmdir()
        (self.folder / f"away-{root}").rename(here)
        self.away.discard(root)

    def photos(self):
        """The sound photos of both roots that the catalog has, by place."""
        catalog, model = self.world.library.catalog, self.world.active
        photos = catalog.photos(catalog.embedding_ids(model.id).tolist()) if model is not None else []
        return {place: photo for photo in photos if (place := self.place_of(photo))[0] in ROOTS}

    def place_of(self, photo):
        root, _, name = photo.path.relative_to(self.world.photos).as_posix().partition("/")
        return root, name

    def assert_catalog(self, photos, *, held=frozenset()):
        """What can be seen is there, as it is; what cannot be seen is marked; what is gone is gone, or marked."""
        here = self.here
        assert here.keys() <= photos.keys()
        for place, photo in photos.items():
            is_there = place in here and place not in held
            assert (photo.missing_since is None) == is_there, (place, is_there, photo.missing_since)
        for place, (_, caption) in here.items():
            assert place in held or (photos[place].description or "") == caption, place

    def assert_index(self, photos, *, held=frozenset()):
        """Every photo of the catalog has its vector, that of its picture."""
        index = self.world.index()
        assert index.problem is None
        assert index.ids().tolist() == self.world.library.catalog.embedding_ids(self.world.active.id).tolist()
        for place, (seed, _) in self.here.items():
            if place not in held:
                found = index.vector(photos[place].id).astype(np.float32)
                np.testing.assert_allclose(found, self.vector(seed), atol=2e-3)

    def held(self, photos):
        """Places onto which a photo was moved where another is kept: both are marked, until a person says what is gone.

        Nothing else excuses a mark: the photo that is known there has another picture than the file, and the picture of
        the file is that of a photo that is known elsewhere, and marked.
        """
        if self.world.active is None:
            return set()
        index = self.world.index()
        marked = {place: index.vector(photo.id) for place, photo in photos.items() if photo.missing_since is not None}

        def shows(place, seed):
            return np.allclose(marked[place].astype(np.float32), self.vector(seed), atol=2e-3)

        here = [(place, seed) for place, (seed, _) in self.here.items() if place in marked]
        return {p for p, s in here if not shows(p, s) and any(shows(other, s) for other in marked if other != p)}

    def vector(self, seed):
        """What the model makes of a picture; all examples draw the same ones."""
        key = self.world.model, seed
        if key not in _VECTORS:
            with Image.open(io.BytesIO(drawn(seed, ""))) as image:
                _VECTORS[key] = self.world.embedder.embed_images([image.convert("RGB")])[0]
        return _VECTORS[key]

    def save(self, path, seed, caption=""):
        path.write_bytes(drawn(seed, caption))
        self._stamp(path)

    def _stamp(self, path):
        """A time of its own for each write, as on disks that tell time finely."""
        self._clock += 10
        os.utime(path, (self._clock, self._clock))


@cache
def drawn(seed, caption):
    """The bytes of a picture's file."""
    exif, content = Image.Exif(), io.BytesIO()
    exif.get_ifd(0x8769)[_ORIGINAL] = "2021:07:04 10:11:12"  # else the file's time would date it
    if caption:
        exif[_DESCRIPTION] = caption
    draw(seed).save(content, "JPEG", quality=90, exif=exif)
    return content.getvalue()
