"""Drives that take turns in one place: the photos of none go because another one is there."""

import shutil

import pytest

from indexer.errors import RootError
from indexer.folders import mounts, renaming
from indexer.folders.removing import Removals
from tests import forked_code
from tests.indexer.folders.drives import DRIVES, ids, known, on_drive, plug, turn, unplug

TURNS = [("first", "second"), ("second", "first"), ("first", "second", "third")]


@pytest.mark.parametrize("names", TURNS, ids="-".join)
def test_drives_that_take_turns_lose_nothing(place, names):
    world, folder = place
    on_drive(world, *DRIVES[names[0]], name=folder)
    world.sync()
    now, before = names[0], {}
    for name in (*names[1:], *names, *reversed(names)):
        if name == now:
            continue
        turn(world, folder, now, name)
        now = name
        assert world.sync().removed == 0
        assert ids(world).items() >= before.items()
        before = ids(world)
        there = {path for path, photo in known(world).items() if not photo.missing and not path.startswith("disk/")}
        assert there == {f"{folder}/{seed}.png".lstrip("/") for seed in DRIVES[name]}
        assert world.sync().removed == 0  # nor at the next look


def test_what_was_deleted_on_a_drive_while_others_were_there_goes_and_theirs_stays(place):
    world, folder = place
    on_drive(world, *DRIVES["first"], name=folder)
    world.sync()
    turn(world, folder, "first", "second")
    world.sync()
    (world.photos.with_name("first") / "21.png").unlink()
    turn(world, folder, "second", "first")
    assert world.sync().removed == 1
    (world.photos / folder / "22.png").unlink()
    assert world.sync().removed == 1
    left = {path.rpartition("/")[2] for path in known(world) if not path.startswith("disk/")}
    assert left == {f"{seed}.png" for seed in (20, 23, 24, 25, 30, 31)}


def test_a_drive_that_is_exchanged_loses_no_half_of_each_part_that_is_looked_at(bay):
    for folder in range(4):
        on_drive(bay, *range(20 + 5 * folder, 25 + 5 * folder), name=f"usb/{folder}")
    bay.sync()
    removals, removed = Removals(), []
    for folder in range(4):
        for seed in range(20 + 5 * folder, 22 + 5 * folder):
            (bay.photos / f"usb/{folder}/{seed}.png").unlink()
        removed.append(bay.sync(bay.photos / f"usb/{folder}", removals=removals).removed)
    assert removed == [2, 2, 2, 2]  # 8 of the 20
    for folder in range(4):
        for seed in range(22 + 5 * folder, 24 + 5 * folder):
            (bay.photos / f"usb/{folder}/{seed}.png").unlink()
        removed.append(bay.sync(bay.photos / f"usb/{folder}", removals=removals).removed)
    assert removed[4:] == [2, 0, 0, 0]  # with these 10 of the 20, and no more
    unplug(bay, "away")
    bay.sync(removals=removals)
    plug(bay, "away")
    bay.sync(removals=removals)
    (bay.photos / "usb/3/39.png").unlink()
    assert bay.sync(removals=removals).removed == 1  # what was not there before it came back counts no more


@pytest.mark.parametrize("shallow", [False, True])
def test_a_look_at_a_part_of_another_drive_takes_no_part_of_the_first(bay, shallow):
    for folder, seeds in {"x": (20, 21), "y": range(22, 34), "z": range(34, 46)}.items():
        on_drive(bay, *seeds, name=f"usb/{folder}")
    bay.sync()
    unplug(bay, "first")
    on_drive(bay, 50, 51, name="usb/x")
    part = bay.photos / "usb" / "x"
    report = bay.sync(bay.photos / "disk", shallow=[part]) if shallow else bay.sync(part)
    assert (report.removed, report.added) == (0, 2)
    assert known(bay)["usb/x/20.png"].missing
    assert "2 photos of" in " ".join(report.messages) and "another drive may be" in " ".join(report.messages)


def test_what_parts_of_three_drives_left_behind_does_not_go_when_one_of_them_is_back(bay):
    on_drive(bay, 20, 21, name="usb/x")
    on_drive(bay, *range(22, 30), name="usb/y")
    bay.sync()
    unplug(bay, "first")
    on_drive(bay, 50, 51, name="usb/x")
    bay.sync(bay.photos / "usb" / "x")
    unplug(bay, "second")
    on_drive(bay, 60, name="usb/z")
    before = ids(bay)
    assert bay.sync().removed == 0  # what was left of the first two went at one time
    unplug(bay, "third")
    plug(bay, "first")
    assert bay.sync().removed == 0
    assert ids(bay).items() >= before.items()
    assert known(bay)["usb/x/50.png"].missing and not known(bay)["usb/x/20.png"].missing


def test_a_copy_of_a_half_of_a_drive_in_its_place_takes_none_of_the_rest(bay):
    on_drive(bay, *range(20, 32))
    bay.sync()
    before = ids(bay)
    shutil.copytree(bay.photos / "usb", bay.photos.with_name("copy"))
    for seed in (29, 30, 31):
        (bay.photos.with_name("copy") / f"{seed}.png").unlink()
    unplug(bay, "first")
    plug(bay, "copy")
    for _ in range(2):
        assert bay.sync().removed == 0
        assert known(bay)["usb/31.png"].missing
    unplug(bay, "copy")
    bay.sync()
    plug(bay, "copy")
    for _ in range(2):
        assert bay.sync().removed == 0
    unplug(bay, "copy")
    plug(bay, "first")
    assert bay.sync().removed == 0
    assert ids(bay) == before
    assert not known(bay)["usb/31.png"].missing


def test_a_look_at_a_part_that_was_copied_makes_no_drive_of_it_the_first(bay):
    on_drive(bay, 20, 21, name="usb/x")
    on_drive(bay, 22, name="usb/y")
    bay.sync()
    before = ids(bay)
    shutil.copytree(bay.photos / "usb" / "x", bay.photos.with_name("copy") / "x")
    unplug(bay, "first")
    plug(bay, "copy")
    bay.sync(bay.photos / "usb" / "x")
    assert known(bay)["usb/y/22.png"].missing
    for _ in range(2):
        assert bay.sync().removed == 0
    unplug(bay, "copy")
    plug(bay, "first")
    assert bay.sync().removed == 0
    assert ids(bay) == before and not known(bay)["usb/y/22.png"].missing


def test_a_drive_of_which_only_parts_were_looked_at_is_known_as_one(world, monkeypatch):
    monkeypatch.setattr(
        mounts, "is_mount", lambda folder, among=None: folder == world.photos / "usb" and folder.exists()
    )
    for seed in range(12):
        world.write(f"disk/{seed}.png", seed)
    on_drive(world, 20, 21, name="usb/x")
    world.sync(world.photos / "disk")
    world.sync(world.photos)
    catalog = world.library.catalog
    (root,) = catalog.root_paths()
    catalog.keep_mounts(root.id, ())  # as if it had been seen in part alone
    world.sync(world.photos / "usb" / "x")
    assert catalog.mounts(root.id) == {"usb"}
    unplug(world, "first")
    (world.photos / "usb").mkdir()
    assert world.sync().removed == 0
    assert known(world)["usb/x/20.png"].missing


def test_photos_of_a_folder_that_is_gone_go_where_a_person_names_it(bay):
    on_drive(bay, 20, 21)
    on_drive(bay, 22, 23, name="usb/x/y")
    bay.sync()
    unplug(bay, "first")
    on_drive(bay, *DRIVES["third"])
    bay.sync()
    shutil.rmtree(bay.photos.with_name("first") / "x")
    turn(bay, "usb", "third", "first")
    assert bay.sync().removed == 0  # the folder may be another drive's
    assert f"picsift index {bay.photos / 'usb'} --allow-mass-removal" in " ".join(bay.sync().messages)
    with pytest.raises(RootError, match="does not exist"):
        bay.sync(bay.photos / "usb" / "x" / "y")
    with pytest.raises(RootError, match="does not exist"):
        bay.sync(bay.photos / "usb" / "w", allow_mass_removal=True)
    assert bay.sync(bay.photos / "usb" / "x" / "y", allow_mass_removal=True).removed == 2
    assert {path for path in known(bay) if path.startswith("usb/x")} == set()
    assert known(bay)["usb/40.png"].missing


def test_a_run_that_is_killed_before_it_has_noted_all_costs_a_drive_nothing(bay, monkeypatch):
    on_drive(bay, *DRIVES["first"])
    bay.sync()
    turn(bay, "usb", "first", "third")
    bay.sync()
    turn(bay, "usb", "third", "first")
    bay.sync()
    turn(bay, "usb", "first", "third")
    before, catalog = ids(bay), bay.library.catalog
    for call in ("mark_missing", "mark_found"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(type(catalog), call, killed)
            bay.sync()
    assert bay.sync().removed == 0
    assert ids(bay) == before


def test_a_folder_of_another_number_loses_what_was_deleted_in_it(world, monkeypatch):
    """As after a restart, where file systems have no numbers of their own."""
    on_drive(world, *DRIVES["first"], name="")
    world.sync()
    monkeypatch.setattr(renaming, "_number", lambda folder: "7 7")
    (world.photos / "20.png").unlink()
    assert world.sync().removed == 1
    for seed in (30, 31, 32):
        world.write(f"{seed}.png", seed)
    for seed in (21, 22, 23):
        (world.photos / f"{seed}.png").unlink()
    assert world.sync().removed == 0
    assert known(world)["21.png"].missing  # more than half, and others in their stead
    assert not renaming.may_be_another(world.library, world.library.catalog.root_paths()[0])  # some are as they were


REAL = """
import subprocess, sys
from pathlib import Path
from indexer.workers.isolation import WorkerPool
from tests.indexer.worlds import World, draw

pool = WorkerPool()
world, kind = World(Path(sys.argv[1]), Path(sys.argv[2])), sys.argv[3]
mounted = Path(sys.argv[1]) / "mounted"
mounted.mkdir()
top = root = mounted / "photos"
if kind == "link to the root":
    root = Path(sys.argv[1]) / "link"
    root.symlink_to(top)
if kind == "link in the root":
    top, root = mounted, world.photos
    (root / "usb").symlink_to(mounted)
    for seed in range(30):
        world.write(f"{seed}.png", seed)

def plug(*seeds):
    subprocess.run(["mount", "-t", "tmpfs", "none", mounted], check=True)
    top.mkdir(exist_ok=True)
    for seed in seeds:
        draw(seed).save(top / f"{seed}.png")

def unplug():
    subprocess.run(["umount", mounted], check=True)

def known():
    catalog = world.library.catalog
    (one,) = catalog.root_paths()
    return {path: photo.id for path, photo in catalog.known(one.id, model_id=world.active.id).items()}

before = {}
for seeds in (range(40, 46), None, (), range(50, 60), (60, 61), range(40, 46), range(50, 60)):
    if seeds is not None:
        plug(*seeds)
    for _ in range(2):
        assert world.sync(root, workers=1, pool=pool).removed == 0, seeds
        assert known().items() >= before.items(), seeds
    if seeds is not None:
        unplug()
    before = known()
pool.close()
print(len([path for path in before if int(Path(path).stem) >= 40]))
"""


@pytest.mark.parametrize("kind", ["around the root", "link to the root", "link in the root"])
def test_real_drives_take_turns(tmp_path, tiny_model_path, kind):
    """In a namespace of its own, where anybody may mount."""
    if not forked_code.may_mount():
        pytest.skip("no namespaces here")
    done = forked_code.run(forked_code.IN_A_NAMESPACE + REAL, tmp_path, tiny_model_path, kind, seconds=120)
    assert done.stdout == "18\n", done.stderr


def killed(*_):
    raise KeyboardInterrupt
