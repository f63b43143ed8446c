"""The guard against losing a large share of a root: per root, over a whole run and over a daemon's latest ones."""

import shutil

import pytest

from indexer.folders import removing
from indexer.folders.removing import Removals
from tests.indexer.following import following, wait_until


@pytest.fixture
def eight(world):
    """Eight folders of five photos, each of which still shows something when its photos are gone."""
    for number in range(8):
        world.write(f"{number}/notes.txt", b"x")
        for seed in range(5):
            world.write(f"{number}/{seed}.png", 5 * number + seed)
    world.sync()
    return world


def delete(world, *folders):
    for folder in folders:
        for path in (world.photos / str(folder)).glob("*.png"):
            path.unlink()


def test_the_share_is_that_of_the_root_however_many_folders_are_looked_at(eight):
    delete(eight, *range(8))
    report = eight.sync(*(eight.photos / str(number) for number in range(8)))
    assert report.removed == 0
    assert "40 of the 40 photos" in " ".join(report.messages)
    assert len(eight.names()) == 40


def test_what_was_removed_lately_counts_for_as_long_as_it_is_recent(eight):
    now = [0.0]
    removals = Removals(lambda: now[0])
    removed = []
    for number in range(8):
        delete(eight, number)
        report = eight.sync(eight.photos / str(number), removals=removals)
        removed.append(report.removed)
    assert removed == [5, 5, 5, 5, 0, 0, 0, 0]
    assert "and 20 were removed a while ago" in report.messages[0]
    now[0] += removing.RECENT_S + 1
    assert eight.sync(eight.photos / "4", removals=removals).removed == 5


def test_one_root_s_losses_are_not_another_s(world):
    for seed in range(8):
        world.write(f"{'one' if seed < 4 else 'two'}/{seed}.png", seed)
    roots = world.photos / "one", world.photos / "two"
    world.sync(*roots)
    for name in ("one/0.png", "one/1.png", "one/2.png", "two/4.png", "two/5.png"):
        (world.photos / name).unlink()
    assert world.sync(*roots).removed == 2
    assert world.names() == ["one/0.png", "one/1.png", "one/2.png", "one/3.png", "two/6.png", "two/7.png"]


def test_the_daemon_removes_no_more_than_half_in_however_many_batches(eight):
    with following(eight) as daemon:
        for number in range(8):
            before = daemon.activity.now
            delete(eight, number)
            wait_until(lambda n=number: missing_or_gone(eight, n), f"{number}/ is noticed, and it was {before}")
        assert daemon.total("removed") == 20
    assert len(eight.names()) == 20


def missing_or_gone(world, folder):
    photos = [world.library.catalog.photo_at(world.photos / f"{folder}/{seed}.png") for seed in range(5)]
    return all(photo is None or photo.missing_since is not None for photo in photos)


def test_a_part_of_an_unplugged_root_copied_elsewhere_is_a_root_of_its_own(world):
    for seed in range(10):
        world.write(f"drive/{seed}.png", seed)
    drive, copies = world.photos / "drive", world.photos / "copies"
    world.sync(drive)
    shutil.copytree(drive, copies)
    for seed in range(6, 10):
        (copies / f"{seed}.png").unlink()
    drive.rename(world.photos / "away")
    report = world.sync(copies)
    assert (report.removed, report.added) == (0, 6)
    assert [root.path for root in world.library.catalog.roots()] == [copies, drive]
    assert len(world.names()) == 16


def test_a_run_that_finds_a_root_under_another_name_removes_nothing(world):
    for seed in range(20):
        world.write(f"old/{seed}.png", seed)
    world.sync(world.photos / "old")
    (world.photos / "old").rename(world.photos / "new")
    (world.photos / "new" / "3.png").unlink()
    report = world.sync(world.photos / "new", allow_mass_removal=True)
    assert (report.removed, report.unchanged) == (0, 19)
    assert "just been found under this name" in report.messages[-1]
    assert world.library.catalog.counts().missing == 1
    assert world.sync(world.photos / "new").removed == 1


def test_what_the_message_advises_names_the_root(world):
    for seed in range(4):
        world.write(f"my photos/{seed}.png", seed)
    root = world.photos / "my photos"
    world.sync(root)
    for seed in range(3):
        (root / f"{seed}.png").unlink()
    assert f"picsift index '{root}' --allow-mass-removal" in world.sync(root).messages[0]


@pytest.mark.parametrize("leaves_mount_point", [False, True])
def test_an_unplugged_root_that_is_taken_over_keeps_its_photos_also_where_removal_is_allowed(world, leaves_mount_point):
    for seed in range(8):
        world.write(f"{'drive' if seed < 2 else 'disk'}/{seed}.png", seed)
    drive = world.photos / "drive"
    world.sync(drive)
    world.sync(world.photos / "disk")
    drive.rename(world.photos.with_name("away"))
    if leaves_mount_point:
        drive.mkdir()
    assert world.sync(allow_mass_removal=True).removed == 0
    assert world.sync().removed == 0
    assert [root.path for root in world.library.catalog.roots()] == [world.photos]
    assert world.library.catalog.counts().missing == 2
    if leaves_mount_point:
        drive.rmdir()
    world.photos.with_name("away").rename(drive)
    report = world.sync()
    assert (report.unchanged, report.messages) == (8, [])
    (drive / "0.png").unlink()  # an ordinary folder, for all that is known now
    assert world.sync().removed == 1
