"""kill -9 in the middle of indexing: nothing that was committed is lost, and the next run ends in agreement."""

import random
import signal
import sys
import time

from tests import forked_code
from tests.indexer.processes import is_running, wait_until, workers_of

KILLS = 20
PHOTOS = 48


def start(world):
    from tests.indexer import child

    process = forked_code.context().Process(
        target=child.run, args=(str(world.library_folder), str(world.model), str(world.photos)), daemon=True
    )
    process.start()
    return process


def live(world, rng, step):
    """What people do to a folder between two runs."""
    for i in range(6):
        world.write(f"new-{step:02}-{i}.png", 10_000 + 10 * step + i)
        world.write(f"{rng.randrange(PHOTOS):02}.png", 20_000 + 10 * step + i)
    photos = sorted(world.photos.rglob("*.png"))
    for i, path in enumerate(rng.sample(photos, 8)):
        if i < 5:
            path.unlink()
        else:
            path.rename(world.photos / f"moved-{step:02}-{i}.png")


def as_it_was(world):
    """The photos that are embedded and whose files have not changed since: no kill may cost one of them."""
    catalog = world.library.catalog
    photos = catalog.photos(catalog.embedding_ids(world.active.id).tolist())
    there = [(photo, photo.path.stat()) for photo in photos if photo.path.exists()]
    return {photo.path for photo, now in there if (photo.size, photo.mtime_ns) == (now.st_size, now.st_mtime_ns)}


def test_killed_at_twenty_moments_the_library_ends_in_agreement(world):
    rng = random.Random(7)
    for seed in range(PHOTOS):
        world.write(f"{seed:02}.png", seed)
    start(world).join()
    assert len(world.names()) == PHOTOS
    live(world, rng, 0)
    begun = time.monotonic()
    start(world).join()
    usual = time.monotonic() - begun
    step = kills = seen = 0
    while kills < KILLS:
        step += 1
        assert step < 4 * KILLS, "the moments are not in the middle of the work"
        live(world, rng, step)
        safe = as_it_was(world)
        begun = time.monotonic()
        process = start(world)
        process.join(timeout=rng.uniform(0, usual))
        if process.exitcode is not None:  # too late; the machine may have been busy when it was measured
            usual = min(usual, time.monotonic() - begun)
        workers = workers_of(process.pid)
        process.kill()
        process.join()
        wait_until(lambda workers=workers: not any(map(is_running, workers)), seconds=60)
        seen += len(workers)
        kills += process.exitcode == -signal.SIGKILL
        assert safe <= as_it_was(world)
    assert seen or sys.platform != "linux"  # some of the kills were in the middle of decoding
    report = world.sync()
    assert report.failed == 0
    assert world.names() == sorted(path.name for path in world.photos.rglob("*.png"))
    world.assert_agreement(kills=True)
    again = world.sync()
    assert (again.added, again.updated, again.moved, again.removed) == (0, 0, 0, 0)
    assert again.unchanged == len(world.names())


def test_killed_during_the_first_run_the_next_takes_up_the_rest(world):
    for seed in range(PHOTOS):
        world.write(f"{seed:02}.png", seed)
    process = start(world)
    catalog = world.library.catalog
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        active = catalog.active_model()
        models = [active.id] if active else [1]
        if catalog.embedding_ids(models[0]).size >= 8:
            break
        time.sleep(0.002)
    process.kill()
    process.join()
    done = catalog.embedding_ids(1).size
    assert 8 <= done < PHOTOS
    report = world.sync()
    assert (report.unchanged, report.added) == (done, PHOTOS - done)
    world.assert_agreement(kills=True)
