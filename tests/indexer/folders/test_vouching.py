"""What vouches for a drive that is in the place of others: photos that were there, in the same files."""

import shutil

import pytest

from indexer.folders import renaming
from indexer.folders.removing import Removals
from tests.indexer.folders.drives import ids, known, on_drive, turn, unplug
from tests.indexer.worlds import draw


@pytest.mark.parametrize("name", ["usb", ""])
@pytest.mark.parametrize("folder_alone", [False, True])
def test_photos_that_were_moved_on_a_drive_that_was_away_vouch_for_no_other_drive(bay, monkeypatch, name, folder_alone):
    monkeypatch.setattr(renaming, "is_mount", lambda folder: name == "" and folder == bay.photos)
    bay.plugged = name == "usb"
    on_drive(bay, *range(50, 70), name=f"{name}/d".lstrip("/"))
    bay.sync()
    turn(bay, name, "first", "second")
    bay.sync()
    before, away = ids(bay), bay.photos.with_name("first")
    for path in () if folder_alone else list((away / "d").glob("*.png")):
        path.rename(path.with_name(f"n{path.name}"))
    if folder_alone:
        (away / "d").rename(away / "dd")
    turn(bay, name, "second", "first")
    report = bay.sync()
    assert (report.moved, report.removed) == (20, 0)
    assert set(before.values()) <= set(ids(bay).values())


@pytest.mark.parametrize("has_same_numbers", [False, True])
def test_photos_that_were_moved_onto_another_drive_vouch_for_none_of_the_first(bay, has_same_numbers):
    for seed in range(12, 40):
        bay.write(f"disk/{seed}.png", seed)
    on_drive(bay, *range(40, 60), name="usb/a")
    bay.sync()
    unplug(bay, "first")
    (bay.photos / "usb" / "a").mkdir(parents=True)
    for seed in range(25):
        source, target = bay.photos / f"disk/{seed}.png", bay.photos / f"usb/a/{seed}.png"
        if has_same_numbers:
            source.rename(target)
        else:
            shutil.copy2(source, target)
            source.unlink()
    for _ in range(2):
        report = bay.sync()
        assert report.removed == 0 and "20 photos of" in " ".join(report.messages)


def test_a_folder_renamed_on_a_drive_and_a_photo_deleted_there(bay):
    on_drive(bay, *range(20, 30), name="usb/d")
    bay.sync()
    (bay.photos / "usb/d/20.png").unlink()
    (bay.photos / "usb/d").rename(bay.photos / "usb/e")
    report = bay.sync()
    assert (report.moved, report.removed) == (9, 1)


@pytest.mark.parametrize("with_disk", [False, True])
def test_a_part_of_which_all_photos_are_others_now_makes_the_rest_another_drive_s(bay, with_disk):
    """Two cards of cameras that count alike."""
    on_drive(bay, *range(14), name="usb/100")
    on_drive(bay, *range(12), name="usb/101")
    bay.sync()
    before = ids(bay)
    unplug(bay, "first")
    for name, count in (("100", 14), ("101", 0 if with_disk else 7)):
        for seed in range(count):
            bay.write(f"usb/{name}/{seed}.png", 300 + seed)
    parts = [bay.photos / "disk", bay.photos / "usb/100"] if with_disk else [bay.photos / "usb/100"]
    assert bay.sync(*parts).removed == 0
    assert [bay.sync().removed for _ in range(2)] == [0, 0]
    assert ids(bay) == before


def test_some_photos_edited_on_a_drive_put_none_of_the_rest_in_doubt(bay):
    on_drive(bay, *range(20, 30), name="usb/x")
    on_drive(bay, *range(30, 40), name="usb/y")
    bay.sync()
    for seed in range(20, 30):
        draw(seed + 100).save(bay.photos / f"usb/x/{seed}.png")
    (bay.photos / "usb/x/20.png").unlink()
    report = bay.sync(bay.photos / "usb/x")
    assert (report.removed, report.messages) == (1, [])
    assert not any(photo.missing for path, photo in known(bay).items() if path.startswith("usb/y"))


def may_be_another(world):
    return renaming.may_be_another(world.library, world.library.catalog.root_paths()[0])


def test_a_look_at_a_part_says_nothing_of_which_folder_a_root_is(world):
    on_drive(world, *range(20), name="dcim")
    world.sync()
    before = ids(world)
    world.photos.rename(world.photos.with_name("first"))
    on_drive(world, 99, name="w")
    for seed in range(14):
        world.write(f"dcim/{seed}.png", 300 + seed)
    assert world.sync(world.photos / "w").removed == 0
    assert [world.sync().removed for _ in range(2)] == [0, 0]
    assert ids(world).items() >= before.items()


def test_many_deletions_and_a_new_photo_make_no_drive_of_an_ordinary_folder(world):
    on_drive(world, *range(20), name="x")
    world.sync()
    for seed in range(12):
        (world.photos / f"x/{seed}.png").unlink()
    world.write("x/new.png", 77)
    for _ in range(2):
        report = world.sync()
        assert report.removed == 0 and "another drive" not in " ".join(report.messages)
    assert not may_be_another(world)
    assert world.sync(world.photos, allow_mass_removal=True).removed == 12
    for path in world.photos.rglob("*.png"):
        path.chmod(0o640)
    (world.photos / "x/new.png").unlink()
    assert world.sync().removed == 1


@pytest.mark.parametrize("name", ["usb", ""])
def test_photos_whose_mode_was_changed_vouch_for_the_rest(bay, monkeypatch, name):
    monkeypatch.setattr(renaming, "is_mount", lambda folder: name == "" and folder == bay.photos)
    on_drive(bay, *range(20, 30), name=name)
    bay.sync()
    folder = bay.photos / name
    for path in folder.rglob("*.png"):
        path.chmod(0o640)
    (folder / "20.png").unlink()
    report = bay.sync()
    assert (report.removed, report.messages) == (1, [])


def test_a_library_copied_to_a_new_disk_with_some_left_out_keeps_them_until_it_is_named(world):
    on_drive(world, *range(20, 40), name="x")
    world.sync()
    world.photos.rename(world.photos.with_name("old"))
    shutil.copytree(world.photos.with_name("old"), world.photos)
    for seed in (20, 21, 22):
        (world.photos / f"x/{seed}.png").unlink()
    for _ in range(2):
        report = world.sync()
        assert report.removed == 0 and "3 photos of" in " ".join(report.messages)
    (world.photos / "x/23.png").unlink()
    assert world.sync().removed == 1  # what was there at the last look goes as ever
    assert may_be_another(world)
    assert world.sync(world.photos, allow_mass_removal=True).removed == 3
    assert not may_be_another(world)
    assert world.sync().messages == []


def test_what_an_exchange_left_behind_does_not_count_against_the_newcomer(bay):
    removals = Removals()
    on_drive(bay, *range(20, 50))
    bay.sync(removals=removals)
    unplug(bay, "first")
    on_drive(bay, *range(60, 70))
    bay.sync(removals=removals)
    (bay.photos / "usb/60.png").unlink()
    report = bay.sync(bay.photos / "usb", removals=removals)
    assert report.removed == 1
    assert "30 photos of" in " ".join(report.messages)


def test_one_photo_that_is_kept_is_said_to_be_one(bay):
    on_drive(bay, 20)
    bay.sync()
    unplug(bay, "first")
    on_drive(bay, 30, 31)
    said = " ".join(bay.sync().messages)
    assert f"1 photo of {bay.photos / 'usb'} not found: another drive may be there." in said
    assert f"picsift index {bay.photos / 'usb'} --allow-mass-removal" in said
