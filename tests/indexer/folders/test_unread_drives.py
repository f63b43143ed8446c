"""Drives whose files a run did not read, since it ended before, or since they were still being written."""

import shutil

import pytest

from indexer.folders import reconcile, scanner
from tests.indexer.folders.drives import DRIVES, ids, known, on_drive, turn


def cut_short(world, monkeypatch, **options):
    """A run that ends when it has settled what is there, before it has read any of it."""
    settled, settle = [], reconcile.settle_absences

    def settling(*args, **named):
        settled.append(settle(*args, **named))
        return settled[0]

    with monkeypatch.context() as patch:
        patch.setattr(reconcile, "settle_absences", settling)
        world.sync(stop=lambda: bool(settled), **options)
    assert settled


def indexed(place, shared):
    """The first drive, and a second one with one file of the same name, after a turn of each; gives what is known."""
    world, folder = place
    on_drive(world, *DRIVES["first"], name=folder)
    world.sync()
    turn(world, folder, "first", "second")
    (world.photos / folder / "31.png").unlink()
    if shared == "another picture":
        world.write(f"{folder}/20.png".lstrip("/"), 50)
    else:
        shutil.copy2(world.photos.with_name("first") / "20.png", world.photos / folder)
    world.sync()
    turn(world, folder, "second", "first")
    world.sync()
    return ids(world)


def assert_the_first_is_back(place, before, *, unseen=False):
    """The second one goes, which a run sees or not, and the first one comes."""
    world, folder = place
    (world.photos / folder).rename(world.photos.with_name("second"))
    if not unseen:
        world.sync()
    world.photos.with_name("first").rename(world.photos / folder)
    for _ in range(2):
        assert world.sync().removed == 0
        assert ids(world) == before
    photos = {path.rpartition("/")[2]: photo for path, photo in known(world).items()}
    assert photos["30.png"].missing and not photos["20.png"].missing
    assert world.nearest(20) == f"{folder}/20.png".lstrip("/")


TOLD = ["below the root", "the root", "around the root"]  # where it is seen that another drive may be there


@pytest.mark.parametrize("unseen", [False, True])
@pytest.mark.parametrize("shared", ["another picture", "a copy"])
def test_a_drive_that_was_not_read_to_the_end_does_not_come_back_with_another(place, shared, unseen, monkeypatch):
    """What lies under a name on both, and was not read on the second, is not what went with the second."""
    world, folder = place
    before = indexed(place, shared)
    turn(world, folder, "first", "second")
    cut_short(world, monkeypatch)
    assert_the_first_is_back(place, before, unseen=unseen)


def test_nor_where_files_of_a_mirror_have_the_numbers_of_the_first(place, monkeypatch):
    """As on two file systems that were filled alike: all but the time of the last change is the same."""
    world, folder = place
    before = indexed(place, "a copy")
    turn(world, folder, "first", "second")
    real, first = scanner.inode_of, (world.photos.with_name("first") / "20.png").stat().st_ino
    mirrored = (world.photos / folder / "20.png").stat().st_ino
    with monkeypatch.context() as patch:
        patch.setattr(scanner, "inode_of", lambda status: first if status.st_ino == mirrored else real(status))
        cut_short(world, monkeypatch)
    assert_the_first_is_back(place, before)


@pytest.mark.parametrize("is_cut", [False, True])
def test_nor_where_a_file_was_still_being_written(place, is_cut, monkeypatch):
    world, folder = place
    before = indexed(place, "another picture")
    turn(world, folder, "first", "second")
    growing = {"leave": lambda path: path.endswith("/20.png")}
    if is_cut:
        cut_short(world, monkeypatch, **growing)
    else:
        world.sync(**growing)
    assert_the_first_is_back(place, before)


@pytest.mark.parametrize("place", TOLD, indirect=True)
def test_files_that_are_being_written_under_the_names_of_others_vouch_for_no_drive(place):
    world, folder = place
    on_drive(world, *range(20, 26), name=folder)
    world.sync()
    before = ids(world)
    (world.photos / folder).rename(world.photos.with_name("first"))
    on_drive(world, *range(120, 124), name=folder)
    for seed in range(120, 124):
        (world.photos / folder / f"{seed}.png").rename(world.photos / folder / f"{seed - 100}.png")
    for leave in (lambda path: True, None):
        assert world.sync(leave=leave).removed == 0
        assert ids(world) == before


@pytest.mark.parametrize("place", TOLD, indirect=True)
def test_a_file_of_another_drive_that_shows_a_photo_of_the_first_takes_no_other_ones_place(place):
    world, folder = place
    on_drive(world, *DRIVES["first"], name=folder)
    on_drive(world, *range(80, 92), name="disk")  # which say nothing of the drive
    world.sync()
    before = ids(world)
    (world.photos / folder / "20.png").parent.rename(world.photos.with_name("first"))
    if not folder:
        shutil.copytree(world.photos.with_name("first") / "disk", world.photos / "disk")
    world.write(f"{folder}/20.png".lstrip("/"), 21)
    world.write(f"{folder}/60.png".lstrip("/"), 60)
    for _ in range(2):
        report = world.sync()
        assert report.removed == 0
        assert ids(world).items() >= before.items()
    (world.photos / folder).rename(world.photos.with_name("second"))
    world.sync()
    world.photos.with_name("first").rename(world.photos / folder)
    assert world.sync().removed == 0
    assert ids(world).items() >= before.items()
    assert world.nearest(20) == f"{folder}/20.png".lstrip("/")
