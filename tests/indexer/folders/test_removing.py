"""The guard against losing a large share of a root: per root, over a whole run and over a daemon's latest ones."""

import shutil
from dataclasses import replace

import pytest

from indexer.folders import looking, removing, renaming
from indexer.folders.removing import Removals
from tests.indexer.folders.drives import known, on_drive, plug, unplug
from tests.indexer.following import following, wait_until
from tests.indexer.worlds import draw


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
    assert eight.sync(eight.photos / "4", removals=removals).removed == 0  # what was kept stays, see test_staying.py
    for seed in (90, 91):  # of which one is no more than half, and one with those that went before would be
        eight.write(f"0/{seed}.png", seed)
    eight.sync(eight.photos / "0", removals=removals)
    (eight.photos / "0/90.png").unlink()
    assert eight.sync(eight.photos / "0", removals=removals).removed == 1


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
    photos = (world.library.catalog.photo_at(world.photos / f"{folder}/{seed}.png") for seed in range(5))
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


def test_another_drive_in_the_place_of_one_takes_no_photo_of_it(bay):
    on_drive(bay, 20, 21, 22)
    bay.sync()
    ids = {path: photo.id for path, photo in known(bay).items()}
    unplug(bay, "first")
    on_drive(bay, 30, 31, 32, 33)
    for _ in range(3):  # and not at the next look either, when the new ones are many
        report = bay.sync()
        assert (report.removed, known(bay)["usb/20.png"].missing) == (0, True)
        assert "3 photos of" in " ".join(report.messages) and "another drive may be" in " ".join(report.messages)
        assert "--allow-mass-removal" in " ".join(report.messages)
    unplug(bay, "second")
    plug(bay, "first")
    report = bay.sync()
    assert {path: photo.id for path, photo in known(bay).items() if path in ids} == ids
    assert not known(bay)["usb/20.png"].missing
    assert (report.removed, known(bay)["usb/33.png"].missing) == (0, True)


def test_a_photo_deleted_on_a_drive_is_gone_at_once_and_one_deleted_elsewhere_when_the_drive_is_back(bay):
    on_drive(bay, *range(20, 26))
    bay.sync()
    (bay.photos / "usb" / "20.png").unlink()
    assert bay.sync().removed == 1
    unplug(bay, "first")
    assert bay.sync().removed == 0
    (bay.photos.with_name("first") / "21.png").unlink()
    plug(bay, "first")
    assert bay.sync().removed == 1
    assert sorted(path for path in known(bay) if path.startswith("usb")) == [f"usb/{n}.png" for n in range(22, 26)]


def test_photos_moved_from_a_drive_to_the_disk_are_moved(bay):
    on_drive(bay, 20, 21, 22)
    bay.sync()
    for seed in (20, 21, 22):
        (bay.photos / "usb" / f"{seed}.png").rename(bay.photos / "disk" / f"{seed}.png")
    report = bay.sync()
    assert (report.moved, report.added, report.removed, report.messages) == (3, 0, 0, [])


def test_what_is_on_another_drive_goes_where_a_person_says_so(bay):
    on_drive(bay, 20, 21, 22)
    bay.sync()
    unplug(bay, "first")
    on_drive(bay, 30)
    assert bay.sync().removed == 0
    assert bay.sync(allow_mass_removal=True).removed == 3


def test_another_drive_in_a_root_s_own_place(world, monkeypatch):
    monkeypatch.setattr(renaming, "is_mount", lambda folder: folder == world.photos)
    for seed in (20, 21, 22):
        world.write(f"{seed}.png", seed)
    world.sync()
    world.photos.rename(world.photos.with_name("first"))
    for seed in (30, 31, 32, 33):
        world.write(f"{seed}.png", seed)
    assert [world.sync().removed for _ in range(3)] == [0, 0, 0]
    assert known(world)["20.png"].missing and not known(world)["30.png"].missing


def test_photos_of_names_that_another_drive_has_too_do_not_vouch_for_the_others(bay):
    on_drive(bay, *range(20, 26))
    bay.sync()
    unplug(bay, "first")
    bay.sync()
    (bay.photos / "usb").mkdir()
    for seed in (20, 21, 22):  # cameras count to 9,999, and names come again
        draw(seed + 100, size=(90, 70)).save(bay.photos / "usb" / f"{seed}.png")
    assert bay.sync().removed == 0
    assert known(bay)["usb/25.png"].missing
    for _ in range(2):
        assert bay.sync().removed == 0


def test_other_pictures_under_some_names_and_nothing_under_others_is_another_drive(bay):
    on_drive(bay, *range(20, 26))
    bay.sync()
    unplug(bay, "first")
    (bay.photos / "usb").mkdir()
    for seed in (20, 21, 22):
        draw(seed + 100, size=(90, 70)).save(bay.photos / "usb" / f"{seed}.png")
    assert bay.sync().removed == 0  # though no more than half of the names are gone


def test_drives_inside_a_drive_do_not_count_as_its_own(bay, monkeypatch):
    scanning = looking.scan
    monkeypatch.setattr(looking, "scan", lambda *a, **o: replace(scanning(*a, **o), mounts=("usb", "usb/in")))
    on_drive(bay, *range(20, 26))
    on_drive(bay, *range(40, 52), name="usb/in")
    bay.sync()
    for path in (bay.photos / "usb").glob("*.png"):
        path.unlink()
    assert bay.sync().removed == 0


def test_a_photo_that_went_during_a_look_is_gone_at_the_next_one_on_a_drive_too(bay, monkeypatch):
    on_drive(bay, *range(20, 26))
    bay.sync()
    scanning = looking.scan

    def losing(*places, **options):
        return replace(scanning(*places, **options), unreadable=("usb/20.png",), vanished=("usb/20.png",))

    (bay.photos / "usb" / "20.png").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(looking, "scan", losing)
        assert bay.sync().removed == 0
    assert known(bay)["usb/20.png"].missing
    assert bay.sync().removed == 1


def test_a_look_at_files_alone_forgets_no_drive(bay):
    on_drive(bay, *range(20, 23), name="usb/deep")
    bay.sync()
    unplug(bay, "first")
    bay.plugged = False
    bay.write("usb/a.png", 77)
    assert bay.sync(bay.photos / "disk", shallow=[bay.photos / "usb"]).removed == 0
    assert "was a drive or share" in " ".join(bay.sync().messages)
    assert bay.sync().removed == 0
    assert known(bay)["usb/deep/20.png"].missing
