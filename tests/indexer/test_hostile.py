"""Hostile files, from the folder to the catalog: each ends as a photo or as a row with a reason, and costs no other."""

import json
import os
import sys
import threading
from pathlib import Path

import pytest

from indexer.embedder import Embedder
from indexer.workers.isolation import WorkerPool
from tests.indexer import hostile_files, runaways
from tests.indexer.processes import NewWorkers
from tests.indexer.test_pipeline import counts
from tests.indexer.worlds import draw

NEIGHBOURS = {"!first.png": 1, "mm-middle.png": 2, "~last.png": 3}  # before, among and after the others, in any order

PHOTOS = 40
LIMIT_S = 60


@pytest.fixture
def pool():
    with WorkerPool(timeout_s=120, memory_mb=512) as pool:
        yield pool


def settle(world, pool, files, **options):
    """Index these files among their neighbours; the reason for each that failed, by its name."""
    for name, content in files.items():
        world.write(name, content)
    for name, seed in NEIGHBOURS.items():
        world.write(name, seed)
    report = world.sync(pool=pool, **options)
    assert report.added + report.failed == len(files) + len(NEIGHBOURS)
    assert {seed: world.nearest(seed) for seed in NEIGHBOURS.values()} == {s: name for name, s in NEIGHBOURS.items()}
    world.assert_agreement()
    rows = {photo.path.name: photo.reason for photo in world.library.catalog.failures()}
    assert rows == {Path(path).name: reason for path, reason in report.failures}
    assert all(rows.values())
    return rows


def test_headers_of_65535_pixels_a_side_are_refused(world, pool):
    files = hostile_files.bombs(draw(9))
    reasons = settle(world, pool, files)
    assert reasons.keys() == files.keys()
    for name in files.keys() - {"bomb.webp", "bomb.avif", "bomb.heic", "bomb.jp2"}:  # whose decoders may see the lie
        assert "65535 x 65535 pixels" in reasons[name]


def test_a_small_file_of_many_pixels_meets_the_bound_of_memory(world):
    rows = hostile_files.zeros(12_000 * 36_001)
    world.write("zeros.png", hostile_files.png(12_000, 12_000, rows))  # within max_pixels, and 432 MB
    with WorkerPool(memory_mb=256) as pool:
        reasons = settle(world, pool, {"zeros.png": hostile_files.png(12_000, 12_000, rows)})
    assert "more than 256 MB" in reasons["zeros.png"]
    report = world.sync()  # with the bound as it is by default, which the next run tries without being told to
    assert counts(report) == (0, 1, 0, 0, 3, 0)


def test_every_format_cut_at_every_tenth(world, pool):
    reasons = settle(world, pool, hostile_files.truncated(draw(9)))
    assert len(reasons) >= 100
    assert not [reason for reason in reasons.values() if "crashed" in reason or "longer" in reason]


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_under_a_pictures_name(world, pool, seed):
    files = hostile_files.noise(seed)
    reasons = settle(world, pool, files)
    assert {name for name in files if name.startswith("noise")} <= reasons.keys()


def test_endless_metadata(world, pool):
    reasons = settle(world, pool, hostile_files.endless_metadata(draw(9, size=(32, 24))))
    assert not [reason for reason in reasons.values() if "crashed" in reason or "longer" in reason]
    assert "app1.jpg" not in reasons
    assert "ifd-loop.tif" not in reasons


def test_files_of_nothing(world, pool):
    files = {"empty.jpg": b"", "one.png": b"\0", "zeros.heic": bytes(100_000), "line.gif": b"\n"}
    assert settle(world, pool, files).keys() == files.keys()


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8")
def test_names_that_are_not_utf8_or_hold_line_breaks(world, pool):
    names = [b"caf\xe9.png", b"two\nlines.png", b"tab\tand\rreturn.png", b"\xff\xfe\n'\"`$(x).png", b"100%_.png"]
    seeds = {os.fsdecode(name): 20 + i for i, name in enumerate(names)}
    bad = {os.fsdecode(b"bad\n\xe9.jpg"): b"no picture"}
    for name, seed in seeds.items():
        draw(seed).save(world.photos / name)
    reasons = settle(world, pool, bad | {name: (world.photos / name).read_bytes() for name in seeds})
    assert reasons.keys() == bad.keys()
    assert {world.nearest(seed) for seed in seeds.values()} == seeds.keys()
    json.dumps([str(photo.path) for photo in world.library.catalog.failures()])


def test_decoders_that_crash_hang_or_hoard_cost_their_photo_and_nothing_else(world, monkeypatch):
    monkeypatch.setattr(Embedder, "prepare", property(lambda self: runaways.square_unless_hostile))
    hostile = {
        "crash.png": (runaways.SEGFAULT, r"the decoder crashed (signal 11) on this picture"),
        "killed.png": (runaways.KILLED, "the decoder was killed (signal 9)"),
        "left.png": (runaways.LEFT, "the decoder ended (status 3) without an answer"),
        "loop.png": (runaways.LOOP, "longer than 5 s"),
        "native.png": (runaways.NATIVE_LOOP, "longer than 5 s"),
        "hoard.png": (runaways.HOARD, "more than 256 MB"),
    }
    for name, (height, _) in hostile.items():
        draw(9, size=(96, height)).save(world.photos / name)
    files = {name: (world.photos / name).read_bytes() for name in hostile}
    sound = {f"sound-{seed}.png": (seed, draw(seed)) for seed in range(30, 42)}
    for name, (_, picture) in sound.items():
        picture.save(world.photos / name)
    files |= {name: (world.photos / name).read_bytes() for name in sound}
    with WorkerPool(timeout_s=5, memory_mb=256) as pool:
        reasons = settle(world, pool, files, workers=3, batch_size=4)
    assert reasons.keys() == hostile.keys()
    for name, (_, said) in hostile.items():
        assert said in reasons[name]
    assert all(world.nearest(seed) == name for name, (seed, _) in sound.items())
    monkeypatch.undo()
    again = world.sync()  # tried again: what a setting refused, and what lack of memory may have ended
    assert (again.updated, again.failed) == (2, 0)
    os.utime(world.photos / "crash.png")
    assert world.sync().updated == 1  # and what has changed


@pytest.mark.fresh_workers
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [9, 11])
def test_a_worker_killed_from_outside_in_the_middle_of_a_run(world, number):
    for seed in range(PHOTOS):
        draw(seed, size=(600, 450)).save(world.photos / f"{seed:02}.png", compress_level=0)
    reports, workers, amid, killed = [], NewWorkers(), threading.Event(), threading.Event()

    def wait(progress):
        if progress.done:
            amid.set()
            killed.wait(LIMIT_S)

    run = threading.Thread(target=lambda: reports.append(world.sync(batch_size=4, on_progress=wait)))
    run.start()
    assert amid.wait(LIMIT_S)
    os.kill(workers()[0], number)
    killed.set()
    run.join(LIMIT_S)
    (report,) = reports
    assert report.added + report.failed == PHOTOS
    assert report.failed <= 1  # none where it had just finished one
    failed = {Path(path).name for path, _ in report.failures}
    names = {f"{seed:02}.png": seed for seed in range(PHOTOS)}
    assert all(world.nearest(seed) == name for name, seed in names.items() if name not in failed)
    assert workers() == []
