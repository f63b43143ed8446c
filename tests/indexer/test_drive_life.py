"""Random sequences of drives that are plugged in at one place by turns, whose photos have each other's names.

Nothing of a drive is lost that was looked at as a whole, and none of its photos becomes another drive's. Looks at parts
of another in its place may take no more than half; of one of which only parts were looked at nothing tells it.
"""

import io
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from PIL import Image

from indexer.catalog.tag_records import Decision
from indexer.folders import looking
from indexer.folders.removing import Removals
from indexer.library import open_library
from indexer.pictures import images
from indexer.workers.isolation import WorkerPool
from tests.fuzzing import FUZZING, examples
from tests.indexer.worlds import World, draw

DRIVES = ("a", "b", "c")
NAMES = ("1.jpg", "2.jpg", "x/1.jpg", "x/2.jpg", "y/1.jpg", "own-1.jpg", "x/own-2.jpg", "y/own-3.jpg")
WITH_MOMENT = ("1.jpg", "x/1.jpg", "x/own-2.jpg")  # the others say nothing of when they were taken
_ORIGINAL = 0x9003


def named(drive, name):
    """A name on a drive: some are the same on all, and some are its own."""
    return name.replace("own", drive)


class DriveMachine(RuleBasedStateMachine):
    """What lies on three drives, and what was known of it when it was last looked at.

    Attributes:
        files: by drive and name, the number of the picture; no two are the same.
        known: by drive and name, the id and content of the photo that it was when all was looked at.
        plugged: the drive that is in its place, or None.
    """

    model: Path
    pool: WorkerPool

    @initialize(held=st.tuples(*[st.lists(st.sampled_from(NAMES), min_size=1, unique=True)] * len(DRIVES)))
    def begin(self, held):
        self.folder, self.plugged, self.removals, self._last = Path(tempfile.mkdtemp()), None, Removals(), 1000
        self.world = World(self.folder, self.model)
        self.slot = self.world.photos / "usb"
        real = looking.scan

        def scanning(root, below="", **options):
            found = real(root, below, **options)
            return replace(found, mounts=("usb",) if self.plugged else ())

        self.patch = mock.patch.object(looking, "scan", scanning)
        self.patch.start()
        self.files, self.known, self.whole, self.lost = {}, {}, True, Counter()
        for number in range(3):
            self.world.write(f"disk/{number}.png", number)
        for drive, names in zip(DRIVES, held, strict=True):
            for name in names:
                self._write(drive, named(drive, name))
        self.sync()

    def teardown(self):
        if not hasattr(self, "patch"):
            return
        self.patch.stop()
        self.world.library.catalog.close()
        shutil.rmtree(self.folder)

    @rule(drive=st.sampled_from(DRIVES), looked=st.booleans())
    def exchange(self, drive, looked):
        """Another drive in the place of the one before it, without a look in between."""
        if self.plugged != drive:
            self.take_out(leaves_mount_point=False)
            (self.folder / drive).rename(self.slot)
            self.plugged, self.whole, self.lost = drive, False, Counter()
        if looked:
            self.sync()

    @rule(leaves_mount_point=st.booleans())
    def take_out(self, leaves_mount_point):
        if self.plugged is not None:
            self.slot.rename(self.folder / self.plugged)
            self.plugged = None
        if self.slot.exists():
            self.slot.rmdir()
        if leaves_mount_point:
            self.slot.mkdir()

    @precondition(lambda self: self.plugged)
    @rule(name=st.sampled_from(NAMES))
    def add(self, name):
        name = named(self.plugged, name)
        if (self.plugged, name) not in self.files:
            self._write(self.plugged, name)

    @precondition(lambda self: self.plugged)
    @rule(name=st.sampled_from(WITH_MOMENT))
    def edit(self, name):
        """Another picture under the same moment."""
        name = named(self.plugged, name)
        if (self.plugged, name) in self.files:
            self._write(self.plugged, name)

    @precondition(lambda self: self.plugged)
    @rule(name=st.sampled_from(NAMES))
    def delete(self, name):
        """Whether it is believed is no matter here; the place keeps a file, as drives do."""
        name = named(self.plugged, name)
        if (self.plugged, name) in self.files and len([one for one in self.files if one[0] == self.plugged]) > 1:
            (self.slot / name).unlink()
            del self.files[self.plugged, name]
            self.known.pop((self.plugged, name), None)

    @precondition(lambda self: self.plugged)
    @rule(name=st.sampled_from(NAMES), part=st.sampled_from(["usb", "usb/x", "usb/y", ""]))
    def send_in_two_goes(self, name, part):
        name = named(self.plugged, name)
        if (self.plugged, name) in self.files:
            return
        content = self._drawn(self.plugged, name)
        path = self.slot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[: len(content) // 2])
        self.sync_part(part, shallow=False)
        path.write_bytes(content)
        self.files[self.plugged, name] = self._last

    @rule(part=st.sampled_from(["usb", "usb/x", "usb/y", ""]), shallow=st.booleans())
    def sync_part(self, part, shallow):
        folder = self.world.photos / part
        if folder.is_dir():
            disk = self.world.photos / "disk"
            self._sync(*([disk] if shallow else [folder]), shallow=[folder] if shallow else [])

    @rule()
    def sync(self):
        self._sync(self.world.photos)

    @rule()
    def restart(self):
        self.removals = Removals()
        self.world.library.catalog.close()
        self.world.library = open_library(self.world.library_folder, create=False)

    def _sync(self, *folders, **options):
        self.world.sync(*folders, workers=1, pool=self.pool, removals=self.removals, **options)
        catalog, owners = self.world.library.catalog, {number: key for key, (number, _) in self.known.items()}
        decided = set()
        for drive, name in self.files:
            if drive != self.plugged:
                continue
            photo = catalog.photo_at(self.slot / name)
            if photo is None or photo.missing_since is not None or photo.state != "ok":
                continue
            if photo.content_hash != images.hash_file(self.slot / name):  # not looked at yet
                continue
            assert owners.get(photo.id, (drive, name))[0] == drive, "a photo of another drive has become this one"
            if (drive, name) in self.known:
                assert self.known[drive, name][0] == photo.id, "a photo that was there is another one now"
            if folders == (self.world.photos,) or (drive, name) in self.known:
                self.known[drive, name] = photo.id, photo.content_hash
                decided.add(photo.id)
        if decided:
            catalog.tags.decide([Decision(number, (f"of {self.plugged}",), "accepted") for number in sorted(decided)])
        self.whole = self.whole or folders == (self.world.photos,)
        self._let_go_of_a_half()
        for (drive, name), (number, content) in self.known.items():
            photo = catalog.photo(number)
            assert photo is not None, f"{name} of {drive} is lost"
            assert photo.content_hash == content or drive == self.plugged, f"{name} of {drive} shows another photo"
            assert [tag.path for tag in catalog.tags.of([number])[number]] == [(f"of {drive}",)]
            if drive != self.plugged and folders == (self.world.photos,):
                assert photo.missing_since is not None

    def _let_go_of_a_half(self):
        """Before all of a drive in the place of another has been looked at."""
        if self.whole:
            return
        for drive in DRIVES:
            of_drive = {key for key in self.known if key[0] == drive}
            lost = {key for key in of_drive if self.world.library.catalog.photo(self.known[key][0]) is None}
            self.lost[drive] += len(lost)
            assert self.lost[drive] <= (len(of_drive) + self.lost[drive] - len(lost)) / 2
            for key in lost:
                del self.known[key]

    def _write(self, drive, name):
        content = self._drawn(drive, name)
        path = (self.slot if drive == self.plugged else self.folder / drive) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name("new.tmp").write_bytes(content)
        path.with_name("new.tmp").replace(path)
        self.files[drive, name] = self._last

    def _drawn(self, drive, name):
        self._last += 1
        exif, content = Image.Exif(), io.BytesIO()
        if (common := name.replace(f"{drive}-", "own-")) in WITH_MOMENT:
            moment = f"20{10 + DRIVES.index(drive)}:07:04 10:11:{NAMES.index(common):02}"
            exif.get_ifd(0x8769)[_ORIGINAL] = moment
        draw(self._last).save(content, "JPEG", quality=90, exif=exif)
        return content.getvalue()


@pytest.mark.hypothesis
@pytest.mark.timeout(3600 if FUZZING else 900)
def test_drives_that_take_turns_lose_and_mix_nothing(tiny_model_path):
    with WorkerPool() as pool:
        machine = type("Machine", (DriveMachine,), {"model": tiny_model_path, "pool": pool})
        run_state_machine_as_test(
            machine, settings=settings(max_examples=examples(40), stateful_step_count=25, derandomize=not FUZZING)
        )
