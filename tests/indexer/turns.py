"""Drives that take turns in one place, with a memory of what lies on each: what the model of life does with them.

A photo that a run has seen, and that lies on some drive, stays known under its path, whichever drive is there.
"""

import shutil
from dataclasses import replace
from unittest import mock

import numpy as np

from indexer.folders import looking
from indexer.folders.removing import Removals

DRIVES = ("a", "b", "c")
NAMES = tuple(f"{folder}{name}.jpg" for folder in ("", "x/", "y/") for name in ("1", "own-1", "own-2"))


class Turns:
    """A root in which drives are mounted, or around which.

    Attributes:
        plugged: the drive that is there, or None.
        files: by drive, the seeds of its pictures by name; each is written once.
        known: by name, id and content hash of the photo.
    """

    def __init__(self, life, *, around):
        self.life, self.around = life, around
        self.root = life.world.photos / "three"
        self.slot = self.root if around else self.root / "usb"
        self.plugged, self.files, self.known = None, {drive: {} for drive in DRIVES}, {}
        self.removals, self._last = Removals(), 1000
        if not around:
            life.world.write("three/disk/1.png", 900)
        real = looking.scan

        def scanning(root, *below, **options):
            found, is_here = real(root, *below, **options), root == self.root and self.plugged and not around
            return replace(found, mounts=("usb",)) if is_here else found

        self._patch = mock.patch.object(looking, "scan", scanning)
        self._patch.start()
        for drive, count in zip(DRIVES, (4, 2, 1), strict=True):
            for name in NAMES[:count]:
                self.write(drive, name)
        self.plug("a")

    def close(self):
        self._patch.stop()

    def plug(self, drive, *, leaves_mount_point=False):
        """Have this drive there, or none."""
        if drive == self.plugged:
            return
        if self.plugged is not None:
            self.slot.rename(self.life.folder / self.plugged)
        if self.slot.exists():
            self.slot.rmdir()
        if drive is not None:
            (self.life.folder / drive).rename(self.slot)
        elif leaves_mount_point:
            self.slot.mkdir()
        self.plugged = drive

    def folder(self, drive):
        return self.slot if drive == self.plugged else self.life.folder / drive

    def write(self, drive, name):
        name = name.replace("own", drive)
        self._last += 1
        path = self.folder(drive) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.life.save(path, self._last)
        self.files[drive][name] = self._last

    def delete(self, drive, name):
        """Whether a run believes it is no matter here. A drive keeps a file, as drives do."""
        name = name.replace("own", drive)
        if name in self.files[drive] and len(self.files[drive]) > 1:
            (self.folder(drive) / name).unlink()
            del self.files[drive][name]
            self.known.pop(name, None)

    def copy(self, source, target, names):
        """Put some files of a drive onto another one, with their times."""
        for name in names & self.files[source].keys():
            path = self.folder(target) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            shutil.copy2(self.folder(source) / name, path)
            self.files[target][name] = self.files[source][name]

    def look(self, part, **options):
        """Run over all, or a part, and see that nothing is lost."""
        folder = self.slot / part
        whole = not part or not folder.is_dir()
        world, here = self.life.world, self.files[self.plugged] if self.plugged else {}
        world.sync(self.root if whole else folder, workers=1, removals=self.removals, **options)
        catalog, held = world.library.catalog, set().union(*self.files.values())
        for name, (number, content) in self.known.items():
            if name in held:
                photo = catalog.photo(number)
                assert photo is not None, f"{name} is forgotten"
                assert photo.path == self.slot / name
                assert photo.content_hash == content or name in here, f"{name} shows another photo"
        index = world.index() if whole and "stop" not in options else None
        for name, seed in here.items():
            photo = catalog.photo_at(self.slot / name)
            if index is not None:
                assert photo.missing_since is None, name
                found = index.vector(photo.id).astype(np.float32)
                np.testing.assert_allclose(found, self.life.vector(seed), atol=2e-3)
            if photo is not None and photo.state == "ok":
                assert self.known.get(name, (photo.id,))[0] == photo.id
                self.known[name] = photo.id, photo.content_hash
