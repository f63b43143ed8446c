"""Random sequences of what people and machines do to folders, after which catalog, index and folders agree.

Roots are unmounted and emptied, files tagged, moved and copied, runs cut short, the library opened again: no vector and
no caption of a photo whose file is there, or out of reach, is lost, and no picture is embedded twice. Drives take turns
in a place of their own (turns.py): no photo of any of them is forgotten, and none becomes another.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from indexer.folders.moving import TRIED
from indexer.folders.removing import Removals
from indexer.library import open_library
from indexer.workers.isolation import WorkerPool
from tests.fuzzing import FUZZING, examples
from tests.indexer.following import following
from tests.indexer.life import NAMES, ROOTS, Life
from tests.indexer.turns import DRIVES, Turns
from tests.indexer.turns import NAMES as TURNS_NAMES

PLACES = st.tuples(st.sampled_from(ROOTS), st.sampled_from(NAMES))
SEEDS = st.integers(0, 11)
CAPTIONS = st.sampled_from(["", "a dog", "a cat on a wall", "x" * 300])
KINDS = (
    *("put", "put", "tag", "tag", "move", "move", "copy", "copy", "delete", "touch", "unmount", "mount"),
    *("rewrite", "exchange", "send"),
)
PARTS = st.sampled_from(["", "", "", "x", "y", "none"])
TURNS = st.tuples(st.sampled_from([*DRIVES, None]), PARTS, st.integers(1, 12))
SOAK_MINUTES = float(os.environ.get("PICSIFT_SOAK_MINUTES", "30"))


class Cut(BaseException):
    """Ends a run in the middle, as a kill would, without its clean-up."""


def some_file(machine):
    """There is something to do a thing to: to assume it within a rule would throw the whole example away."""
    return bool(machine.life.files)


def has_drives(machine):
    return machine.turns is not None


class LifeMachine(RuleBasedStateMachine):
    """Runs `sync()` between what happens to the folders."""

    model: Path
    pool: WorkerPool

    @initialize(drives=st.sampled_from([*["none"] * 4, "below a root", "around a root"]))
    def begin(self, drives):
        self.life = Life(self.model)
        self.turns = None if drives == "none" else Turns(self.life, around=drives == "around a root")
        self.embedded: list[int] = []
        self.sync_and_compare()
        if self.turns:
            self.turns.look("", pool=self.pool)

    def teardown(self):
        if not hasattr(self, "life"):
            return
        try:
            self.sync_and_compare()
            if self.turns:
                self.turns.look("", pool=self.pool)
        finally:
            if self.turns:
                self.turns.close()
            self.life.close()

    @precondition(has_drives)
    @rule(turns=st.lists(TURNS, min_size=2, max_size=5), leaves_mount_point=st.booleans())
    def exchange_drives(self, turns, leaves_mount_point):
        """Drives go, come back, or come in each other's place; the look at one may be cut short."""
        for drive, part, asked in turns:
            self.turns.plug(drive, leaves_mount_point=leaves_mount_point)
            left = iter(range(asked))
            stopping = {} if asked > 3 else {"stop": lambda left=left: next(left, None) is None}
            if part != "none":
                self.turns.look(part, pool=self.pool, **stopping)

    @precondition(has_drives)
    @rule(drive=st.sampled_from(DRIVES), name=st.sampled_from(TURNS_NAMES), kind=st.sampled_from(["write", "delete"]))
    def change_a_drive(self, drive, name, kind):
        getattr(self.turns, kind)(drive, name)

    @precondition(has_drives)
    @rule(drives=st.permutations(DRIVES), names=st.sets(st.sampled_from(TURNS_NAMES), min_size=1))
    def copy_a_part_of_a_drive(self, drives, names):
        self.turns.copy(*drives[:2], {name.replace("own", drives[0]) for name in names})

    @rule(place=PLACES, seed=SEEDS, caption=CAPTIONS)
    def write(self, place, seed, caption):
        self.life.put(place, seed, caption)

    @precondition(some_file)
    @rule(data=st.data(), caption=CAPTIONS)
    def tag(self, data, caption):
        self.life.tag(self._one(data), caption)

    @precondition(some_file)
    @rule(data=st.data())
    def move(self, data):
        self.life.move(*self._two(data))

    @precondition(some_file)
    @rule(data=st.data(), caption=CAPTIONS)
    def move_and_tag(self, data, caption):
        source, to = self._two(data)
        self.life.move(source, to)
        self.life.tag(to, caption)

    @precondition(some_file)
    @rule(data=st.data())
    def copy(self, data):
        self.life.copy(*self._two(data))

    @precondition(some_file)
    @rule(data=st.data())
    def delete(self, data):
        self.life.delete(self._one(data))

    @precondition(some_file)
    @rule(data=st.data())
    def touch(self, data):
        self.life.touch(self._one(data))

    @precondition(some_file)
    @rule(data=st.data())
    def rewrite(self, data):
        place = self._one(data)
        self.life.rewrite(place, data.draw(SEEDS.filter(lambda seed: seed != self.life.files[place][0])))

    @precondition(some_file)
    @rule(data=st.data())
    def exchange(self, data):
        self.life.exchange(self._one(data), self._one(data))

    @rule(place=PLACES, seed=SEEDS)
    def send_in_two_goes(self, place, seed):
        """A run takes the first part for a broken photo."""
        rest = self.life.send(place, seed)
        self._run()
        rest()

    @precondition(lambda self: len(self.life.away) < len(ROOTS))
    @rule(data=st.data(), leaves_mount_point=st.booleans())
    def unmount(self, data, leaves_mount_point):
        root = data.draw(st.sampled_from([root for root in ROOTS if root not in self.life.away]))
        self.life.unmount(root, leaves_mount_point=leaves_mount_point)

    @precondition(lambda self: self.life.away)
    @rule(data=st.data())
    def mount(self, data):
        self.life.mount(data.draw(st.sampled_from(sorted(self.life.away))))

    @precondition(lambda self: self.life.files and not self.life.away)
    @rule(data=st.data(), after=st.integers(0, 1))
    def move_during_a_look(self, data, after):
        """As the scan comes to its first or second folder; a run that looks at nothing leaves the move to its end."""
        (source, to), asked = self._two(data), []
        before = self.life.photos()

        def stop():
            asked.append(source)
            if len(asked) == after + 1:
                self.life.move(source, to)
            return False

        self._run(stop=stop)
        if len(asked) <= after:
            self.life.move(source, to)
        self.sync_and_compare()
        # In the place of another photo, behind the scan's back, it is that photo with another picture.
        # A root that is empty by now may be an unplugged drive, whose photos do not move.
        left = any(root == source[0] for root, _ in self.life.files)
        if left and source in before and to not in before and source not in self.life.files:
            # Of copies any may be the one that moved, and one that was written anew before is another picture.
            after, content = self.life.photos(), before[source].content_hash
            copies = [[photo.content_hash for photo in photos.values()].count(content) for photos in (before, after)]
            if copies == [1, 1] and after[to].content_hash == content:
                assert after[to].id == before[source].id

    @rule()
    def restart(self):
        world = self.life.world
        world.library.catalog.close()
        world.library = open_library(world.library_folder, create=False)
        if self.turns:
            self.turns.removals = Removals()

    @rule(after=st.integers(0, 4), hard=st.booleans())
    def sync_cut_short(self, after, hard):
        seen = []

        def on_progress(progress):
            seen.append(progress)
            if hard and len(seen) > after:
                raise Cut

        kept = self._out_of_reach(self.life.photos())
        try:
            self._run(on_progress=on_progress, stop=lambda: len(seen) > after)
        except Cut:
            self.restart()
        assert self._out_of_reach(self.life.photos()) >= kept

    @rule()
    def sync_and_compare(self):
        life, before = self.life, self.life.photos()
        kept = self._out_of_reach(before)
        known, unseen = {photo.content_hash for photo in before.values()}, life.here.keys() - before.keys()
        self.embedded.clear()
        self._run(allow_mass_removal=not life.away)
        photos = life.photos()
        assert self._out_of_reach(photos) >= kept
        held = life.held(photos) if life.away else set()  # with a root away nobody says that anything is gone
        life.assert_catalog(photos, held=held)
        life.assert_index(photos, held=held)
        if not life.away:
            assert photos.keys() == life.here.keys()
        new = {photos[place].content_hash for place in life.here} - known
        assert sum(self.embedded) >= len(new)
        if len(unseen) <= TRIED:  # of more files that were not there, it may not try the one that was moved and tagged
            assert sum(self.embedded) == len(new)  # each picture once, and none that was known

    def _one(self, data):
        return data.draw(st.sampled_from(sorted(self.life.files)))

    def _two(self, data):
        """A file, and another place."""
        source = self._one(data)
        return source, data.draw(PLACES.filter(lambda place: place != source))

    def _run(self, **options):
        embedder = self.life.world.embedder
        embed = embedder.embed_prepared

        def counting(pixels):
            self.embedded.append(len(pixels))
            return embed(pixels)

        embedder.embed_prepared = counting
        try:
            return self.life.world.sync(*self.life.roots, workers=1, pool=self.pool, **options)
        finally:
            del embedder.embed_prepared

    def _out_of_reach(self, photos):
        return {place for place in photos if place[0] in self.life.away}


def live(model, number, steps, *, fresh=FUZZING):
    """Run the machine; worker processes are kept over all examples."""
    with WorkerPool() as pool:
        machine = type("Machine", (LifeMachine,), {"model": model, "pool": pool})
        run_state_machine_as_test(
            machine,
            settings=settings(max_examples=number, stateful_step_count=steps, derandomize=not fresh),
        )


@pytest.mark.hypothesis
@pytest.mark.timeout(3600 if FUZZING else 900)
def test_life_leaves_catalog_index_and_folders_in_agreement(tiny_model_path):
    live(tiny_model_path, examples(30), steps=25)


def act(life, chance):
    """One thing that happens to the folders, by chance."""
    place = (chance.choice(ROOTS), chance.choice(NAMES))
    one = chance.choice(sorted(life.files)) if life.files else place
    kind = chance.choice(KINDS)
    if kind == "put" or not life.files:
        life.put(place, chance.randrange(12), chance.choice(["", "a dog"]))
    elif kind == "tag":
        life.tag(one, chance.choice(["", "a cat", "x" * 300]))
    elif kind == "rewrite":
        life.rewrite(one, chance.choice([seed for seed in range(12) if seed != life.files[one][0]]))
    elif kind == "send":
        rest = life.send(place, chance.randrange(12))
        time.sleep(chance.choice([0, chance.random()]))
        rest()
    elif kind == "exchange":
        life.exchange(one, chance.choice(sorted(life.files)))
    elif kind in ("move", "copy") and one != place:
        getattr(life, kind)(one, place)
    elif kind in ("delete", "touch"):
        getattr(life, kind)(one)
    elif kind == "unmount" and place[0] not in life.away:
        life.unmount(place[0], leaves_mount_point=chance.random() < 0.5)
    elif kind == "mount" and place[0] in life.away:
        life.mount(place[0])


def wait_for_agreement(life, still_runs, seconds=600):
    """Until what the daemon has written is what lies in the folders, but for what it may not decide by itself.

    Beside other work at a higher priority a daemon takes minutes to start.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            photos = life.photos()
            held = life.held(photos)
            life.assert_catalog(photos, held=held)
            life.assert_index(photos, held=held)
            return
        except (AssertionError, KeyError, IndexError):  # the index may be older than the catalog that was just read
            assert still_runs()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def assert_all_agrees(life):
    """With all roots there, and a person who says that what is gone is gone, all is as it lies there."""
    for root in sorted(life.away):
        life.mount(root)
    life.world.sync(*life.roots, workers=1, allow_mass_removal=True)
    photos = life.photos()
    life.assert_catalog(photos)
    life.assert_index(photos)
    assert photos.keys() == life.here.keys()


@pytest.fixture
def chance():
    """What happens by chance: a soak that failed says its seed, and lives again what it can of it with that one.

    What happens is the same then, what of it a daemon sees at one look is not.
    """
    seed = int(os.environ.get("PICSIFT_SOAK_SEED") or random.SystemRandom().randrange(2**32))
    print(f"PICSIFT_SOAK_SEED={seed}")  # shown where the test fails
    return random.Random(seed)


def burst(life, chance):
    for _ in range(chance.randrange(1, 30)):
        act(life, chance)
        if chance.random() < 0.2:
            time.sleep(chance.random() / 2)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("mode", ["native", "polling"])
def test_soak_of_a_daemon(tiny_model_path, mode, chance):
    life, end = Life(tiny_model_path), time.monotonic() + SOAK_MINUTES * 60 / 4
    while time.monotonic() < end:
        with following(life.world, folders=life.roots, mode=mode) as daemon:
            for _ in range(10):
                burst(life, chance)
                wait_for_agreement(life, lambda daemon=daemon: daemon.thread.is_alive())
        assert_all_agrees(life)
    life.close()


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
def test_soak_of_a_process_that_is_killed(tiny_model_path, chance):
    life, end = Life(tiny_model_path), time.monotonic() + SOAK_MINUTES * 60 / 4
    command = [sys.executable, "-m", "app.launch", "watch", "--library", str(life.world.library_folder)]
    command += ["--model", str(tiny_model_path), *map(str, life.roots)]
    env = {**os.environ, "PICSIFT_SETTLE_MS": "200", "PICSIFT_DEVICE": "cpu", "PICSIFT_PRECISION": "fp32"}
    life.world.sync(*life.roots, workers=1)  # a folder that is away before any run saw it is refused
    while time.monotonic() < end:
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2]
        )
        try:
            burst(life, chance)
            if chance.random() < 0.7:
                time.sleep(chance.random() * 5)
            else:
                wait_for_agreement(life, lambda process=process: process.poll() is None)
            process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
            process.wait(60)
        finally:  # else the next test fails too
            process.kill()
            process.wait()
        if chance.random() < 0.2:
            assert_all_agrees(life)
    assert_all_agrees(life)
    life.close()


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak_of_runs_that_are_cut_short(tiny_model_path):
    end = time.monotonic() + SOAK_MINUTES * 60 / 4
    while time.monotonic() < end:
        live(tiny_model_path, 20, steps=50, fresh=True)
