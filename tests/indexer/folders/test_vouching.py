"""What vouches for a drive that is in the place of others: photos that were there, in the same files."""

import shutil

import pytest

from indexer.folders import removing
from tests.indexer.folders.drives import ids, known, on_drive, turn, unplug
from tests.indexer.worlds import draw


@pytest.mark.parametrize("name", ["usb", ""])
@pytest.mark.parametrize("folder_alone", [False, True])
def test_photos_that_were_moved_on_a_drive_that_was_away_vouch_for_no_other_drive(bay, monkeypatch, name, folder_alone):
    monkeypatch.setattr(removing, "is_mount", lambda folder: name == "" and folder == bay.photos)
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


def test_photos_that_were_moved_onto_another_drive_vouch_for_none_of_the_first(bay):
    for seed in range(12, 40):
        bay.write(f"disk/{seed}.png", seed)
    on_drive(bay, *range(40, 60), name="usb/a")
    bay.sync()
    unplug(bay, "first")
    (bay.photos / "usb" / "a").mkdir(parents=True)
    for seed in range(25):
        source, target = bay.photos / f"disk/{seed}.png", bay.photos / f"usb/a/{seed}.png"
        shutil.copy2(source, target)  # as onto another device
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
