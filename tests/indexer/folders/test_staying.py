"""Photos that were kept since too many of a root went at once: they stay, whatever share of it is looked at later."""

import shutil
from datetime import UTC, datetime

import pytest

from indexer.pipeline import sync
from tests.indexer.folders.drives import ids, known, on_drive


@pytest.fixture
def robbed(world):
    """Four of six photos gone, two in each of two folders, which have one new photo each; one run saw it."""
    for seed in range(6):
        world.write(f"{'xyz'[seed // 2]}/{seed}.png", seed)
    world.sync()
    for seed in range(4):
        (world.photos / f"{'xyz'[seed // 2]}/{seed}.png").unlink()
    world.write("x/new.png", 10)
    world.write("y/new.png", 11)
    assert "4 of the 6 photos" in " ".join(world.sync().messages)
    return world


def look(world, *folders, **options):
    """A look at the files of some folders alone, as a daemon takes it where something happened."""
    shallow = [world.photos / folder for folder in folders]
    return sync(world.library, world.embedder, [], shallow=shallow, workers=1, **options)


def test_photos_that_were_kept_stay_at_a_look_at_a_part(robbed):
    for folder in ("x", "y"):
        report = look(robbed, folder)
        assert report.removed == 0
    assert len(known(robbed)) == 8


def test_a_backup_that_comes_back_file_by_file_is_whole_in_the_end(robbed):
    before = {path: photo.id for path, photo in known(robbed).items()}
    for seed in range(4):
        path = f"{'xyz'[seed // 2]}/{seed}.png"
        robbed.write(path, seed)
        assert look(robbed, path[0]).removed == 0
    assert {path: photo.id for path, photo in known(robbed).items()} == before
    assert not any(photo.missing for photo in known(robbed).values())


def test_another_photo_goes_at_a_look_at_a_part_while_they_stay(robbed):
    for seed in range(20, 30):
        robbed.write(f"y/{seed}.png", seed)
    assert look(robbed, "y").removed == 0
    (robbed.photos / "y/20.png").unlink()
    assert look(robbed, "y").removed == 1
    assert "y/20.png" not in known(robbed)
    assert known(robbed)["y/2.png"].missing


def test_they_go_where_a_person_says_so(robbed):
    assert look(robbed, "x", allow_mass_removal=True).removed == 2
    assert robbed.sync(allow_mass_removal=True).removed == 2


@pytest.fixture
def ten(world):
    """Ten photos in two folders, and a backup of them with their times."""
    for seed in range(10):
        world.write(f"{'xy'[seed // 5]}/{seed}.png", seed)
    world.sync()
    shutil.copytree(world.photos, world.photos.parent / "backup")
    return world


def bring_back(world, *seeds):
    for seed in seeds:
        path = f"{'xy'[seed // 5]}/{seed}.png"
        (world.photos / path).parent.mkdir(exist_ok=True)
        shutil.copy2(world.photos.parent / "backup" / path, world.photos / path)


def delete(world, *seeds):
    for seed in seeds:
        (world.photos / f"{'xy'[seed // 5]}/{seed}.png").unlink()


def test_a_look_at_the_whole_while_a_backup_comes_back_removes_nothing(ten):
    before = ids(ten)
    delete(ten, *range(8))
    ten.sync()
    for seed in range(8):
        bring_back(ten, seed)
        assert ten.sync().removed == 0
    assert ids(ten) == before
    assert not any(photo.missing for photo in known(ten).values())


def test_a_folder_that_comes_back_at_once_from_a_backup_says_nothing_of_the_rest(ten):
    delete(ten, *range(8))
    ten.sync()
    bring_back(ten, 0, 1, 2, 3, 5, 6)
    report = ten.sync()
    assert report.removed == 0
    assert "and are not there now: 2." in " ".join(report.messages)
    assert {path for path, photo in known(ten).items() if photo.missing} == {"x/4.png", "y/7.png"}


def test_photos_that_come_out_of_a_bin_say_nothing_of_the_rest(ten):
    """The same files, with their numbers and times: renamed."""
    bin_folder = ten.photos.parent / "bin"
    bin_folder.mkdir()
    for seed in range(8):
        (ten.photos / f"{'xy'[seed // 5]}/{seed}.png").rename(bin_folder / f"{seed}.png")
    ten.sync()
    for seed in (0, 1, 2, 3, 5, 6):
        (bin_folder / f"{seed}.png").rename(ten.photos / f"{'xy'[seed // 5]}/{seed}.png")
    assert ten.sync().removed == 0


def test_a_root_that_was_emptied_comes_back_file_by_file(ten):
    before = ids(ten)
    shutil.rmtree(ten.photos / "x")
    shutil.rmtree(ten.photos / "y")
    assert "10 photos are kept" in " ".join(ten.sync().messages)
    for seed in range(10):
        bring_back(ten, seed)
        assert ten.sync().removed == 0
    assert ids(ten) == before


def test_new_photos_do_not_outvote_those_that_were_kept(ten):
    delete(ten, *range(6))
    ten.sync()
    for seed in range(20, 40):
        ten.write(f"new/{seed}.png", seed)
    assert ten.sync().removed == 0
    assert ten.sync().removed == 0  # which knows the new ones
    assert sum(photo.missing for photo in known(ten).values()) == 6


def test_what_is_kept_is_no_part_of_what_more_may_go_of(ten):
    delete(ten, *range(6))
    ten.sync()
    delete(ten, 6, 7, 8)
    assert "3 of the 4 photos" in " ".join(ten.sync().messages)
    assert len(known(ten)) == 10
    ten.sync(allow_mass_removal=True)
    assert ids(ten).keys() == {"y/9.png"}


def test_what_was_deleted_on_a_drive_while_it_was_away_goes(ten):
    away = ten.photos.parent / "away"
    ten.photos.rename(away)
    ten.sync()
    (away / "x/0.png").unlink()
    away.rename(ten.photos)
    assert ten.sync().removed == 1
    assert len(known(ten)) == 9


def test_a_folder_that_comes_back_says_nothing_of_another_one(ten):
    """Both were moved away, as they were."""
    for name in "xy":
        (ten.photos / name).rename(ten.photos.parent / name)
    on_drive(ten, *range(20, 33), name="new")
    ten.sync()
    (ten.photos.parent / "x").rename(ten.photos / "x")
    assert ten.sync().removed == 0
    (ten.photos / "x/0.png").unlink()
    (ten.photos.parent / "y").rename(ten.photos / "y")
    assert ten.sync().removed == 1
    assert len(known(ten)) == 9 + 13


def test_a_drive_on_which_a_backup_comes_back_loses_nothing(bay):
    seeds = range(20, 30)
    on_drive(bay, *seeds)
    bay.sync()
    shutil.copytree(bay.photos / "usb", bay.photos.parent / "backup")
    for seed in range(20, 28):
        (bay.photos / f"usb/{seed}.png").unlink()
    before = ids(bay)
    bay.sync()
    for some in (range(20, 25), range(25, 28)):
        for seed in some:
            shutil.copy2(bay.photos.parent / f"backup/{seed}.png", bay.photos / f"usb/{seed}.png")
        assert bay.sync().removed == 0
    assert ids(bay) == before


def test_a_photo_that_another_was_moved_onto_stays_at_a_look_at_its_folder_alone(robbed):
    (robbed.photos / "z/4.png").rename(robbed.photos / "x/0.png")
    report = robbed.sync()
    assert "1 photo lies in" in " ".join(report.messages)
    assert report.held_back == [str(robbed.photos / "z/4.png"), str(robbed.photos / "x/0.png")]
    before = {path: (photo.id, photo.content_hash) for path, photo in known(robbed).items()}
    report = look(robbed, "x")
    assert (report.updated, report.moved, report.removed) == (0, 0, 0)
    assert {path: (photo.id, photo.content_hash) for path, photo in known(robbed).items()} == before
    assert known(robbed)["x/0.png"].missing
    assert known(robbed)["z/4.png"].missing
    (robbed.photos / "x/0.png").rename(robbed.photos / "z/4.png")
    report = robbed.sync()
    assert (report.removed, report.held_back) == (0, [])
    assert not known(robbed)["z/4.png"].missing


def test_a_move_that_was_held_back_is_made_where_a_person_says_so(robbed):
    number = known(robbed)["z/4.png"].id
    (robbed.photos / "z/4.png").rename(robbed.photos / "x/0.png")
    robbed.sync()
    look(robbed, "x", allow_mass_removal=True)
    assert known(robbed)["x/0.png"].id == number
    assert "z/4.png" not in known(robbed)


def test_links_that_are_made_again_say_nothing_of_the_rest(world):
    """They are photos by the files that they point at, which nobody touched."""
    for seed in range(10):
        world.write(f"y/{seed}.png", seed)
    store = world.photos.parent / "store"
    (world.photos / "y").rename(store)
    links = [world.photos / f"x/{seed}.png" for seed in range(10)]
    links[0].parent.mkdir()
    for link in links:
        link.symlink_to(store / link.name)
    world.sync()
    for link in links[:8]:
        link.unlink()
    world.sync()
    for link in links[:5]:
        link.symlink_to(store / link.name)
    assert world.sync().removed == 0
    assert len(known(world)) == 10


def test_a_file_that_is_being_written_has_not_come_back(ten):
    delete(ten, *range(8))
    ten.sync()
    bring_back(ten, 0, 1, 2, 5, 6)
    growing = {str(ten.photos / path) for path in ("x/0.png", "x/1.png", "x/2.png", "y/5.png", "y/6.png")}
    assert ten.sync(leave=lambda path: path in growing).removed == 0
    assert sum(photo.missing for photo in known(ten).values()) == 8
    assert ten.sync().removed == 0
    assert {path for path, photo in known(ten).items() if photo.missing} == {"x/3.png", "x/4.png", "y/7.png"}


def test_a_photo_that_comes_back_under_another_name_says_nothing_of_the_rest(ten):
    """A restore that shifts names: one picture lies where another was."""
    delete(ten, *range(8))
    ten.sync()
    backup = ten.photos.parent / "backup"
    shutil.copy2(backup / "x/0.png", ten.photos / "x/1.png")
    shutil.copy2(backup / "x/1.png", ten.photos / "x/new.png")
    before = len(known(ten))
    assert ten.sync().removed == 0
    assert len(known(ten)) >= before


def test_what_is_kept_goes_with_no_drive_that_was_away_at_that_look(ten):
    """A link to a drive that is away, in a folder most of which is gone at the same look."""
    drive = ten.photos.parent / "drive"
    drive.mkdir()
    for seed in range(20, 24):
        ten.write(f"y/{seed}.png", seed)
        (ten.photos / f"y/{seed}.png").rename(drive / f"{seed}.png")
    (ten.photos / "x/linked").symlink_to(drive)
    ten.sync()
    drive.rename(drive.with_name("unplugged"))
    delete(ten, *range(8))
    ten.sync()
    drive.with_name("unplugged").rename(drive)
    assert ten.sync().removed == 0
    assert sum(photo.missing for photo in known(ten).values()) == 8


def test_photos_that_an_older_picsift_indexed_say_nothing_of_the_rest(ten):
    with ten.library.catalog.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE photos SET ctime_ns = NULL, inode = NULL")
    delete(ten, *range(8))
    ten.sync()
    bring_back(ten, 0, 1, 2, 3, 5, 6)
    assert ten.sync().removed == 0


def test_what_vanished_during_a_look_and_is_kept_at_the_next_one_stays(ten):
    number = known(ten)["x/0.png"].id
    (root,) = ten.library.catalog.root_paths()
    ten.library.catalog.absences.mark_passing(root.id, [number], datetime.now(UTC))
    delete(ten, *range(8))
    ten.sync()
    for seed in range(20, 60):
        ten.write(f"new/{seed}.png", seed)
    ten.sync()
    assert ten.sync().removed == 0
    assert known(ten)["x/0.png"].missing


def test_a_root_of_which_some_are_kept_is_followed_under_its_new_name(ten):
    before = ids(ten)
    delete(ten, *range(6))
    ten.sync()
    new = ten.photos.with_name("renamed")
    ten.photos.rename(new)
    assert ten.sync(new).removed == 0
    assert ids(ten) == before
    assert ten.sync(new).removed == 0
    assert ids(ten) == before


def test_the_message_names_the_folder_alone_of_which_some_are_kept(ten):
    on_drive(ten, *range(20, 40), name="z")
    ten.sync()
    shutil.rmtree(ten.photos / "x")
    delete(ten, *range(5, 9))
    for seed in range(20, 36):
        (ten.photos / f"z/{seed}.png").unlink()
    ten.sync()
    bring_back(ten, *range(5))
    for seed in range(20, 36):
        ten.write(f"z/{seed}.png", seed)
    (said,) = ten.sync().messages
    assert "not there now: 4. They are kept." in said
    assert f"picsift index {ten.photos / 'y'} --allow-mass-removal" in said
    assert "of drives that are not connected" in said
    assert not look(ten, "y").messages
    assert ten.sync(ten.photos / "y", allow_mass_removal=True).removed == 4


def test_photos_that_are_kept_and_passed_over_are_said_to_be(ten):
    delete(ten, *range(8))
    ten.sync()
    bring_back(ten, *range(8))
    (ten.photos / "x/.picsiftignore").write_text("*.png\n")
    (said,) = ten.sync().messages
    assert "are not there now: 5 (5 of them are passed over by ignore rules" in said
