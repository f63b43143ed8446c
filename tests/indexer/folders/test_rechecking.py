"""What goes, moves or is unplugged while a root is looked at; each move is made just before a folder is listed."""

import os
import shutil
from pathlib import Path

import pytest

from indexer.folders import scanner
from indexer.folders.scanner import scan
from tests import forked_code
from tests.indexer.worlds import draw


@pytest.fixture
def just_before(monkeypatch):
    """Calls something once, just before the scanner looks at a folder."""

    def arrange(folder, act):
        real, waiting = scanner.os.scandir, [act]

        def scandir(path):
            if not isinstance(path, int) and os.fspath(path) == os.fspath(folder) and waiting:
                waiting.pop()()
            return real(path)

        monkeypatch.setattr(scanner.os, "scandir", scandir)

    return arrange


def ids(world):
    return {photo.path.name: photo.id for photo in world.library.catalog.photos(all_ids(world))}


def all_ids(world):
    return world.library.catalog.embedding_ids(world.active.id).tolist()


@pytest.fixture
def folders(world):
    """Six folders of two photos, and the ids of all."""
    for seed in range(12):
        world.write(f"{'abmnyz'[seed // 2]}/{seed}.png", seed)
    world.sync()
    return ids(world)


@pytest.mark.parametrize(
    ("at", "source", "target"),
    [
        *(("m", "z", "a/z"), ("a", "z", "a/z"), ("z", "z", "a/z"), ("m", "a", "z/a"), ("z", "a", "z/a")),
        *(("n", "b", "m/deep"), ("n", "m", "b/deep"), ("m", "m", "b/deep"), ("n", "a", "new")),
    ],
)
def test_a_folder_that_moves_while_the_root_is_looked_at_keeps_its_photos(
    world, folders, just_before, at, source, target
):
    just_before(world.photos / at, lambda: (world.photos / source).rename(world.photos / target))
    first = world.sync()
    assert first.removed == 0
    assert ids(world) == folders
    assert world.sync().removed == 0
    assert ids(world) == folders
    world.assert_agreement()


@pytest.mark.parametrize(
    ("at", "source", "target"),
    [
        ("n", "z/11.png", "a/11.png"),
        ("n", "a/0.png", "z/0.png"),
        ("b", "m/4.png", "4.png"),
        ("m", "m/4.png", "a/4.png"),
    ],
)
def test_a_photo_that_moves_while_the_root_is_looked_at_stays_the_same(world, folders, just_before, at, source, target):
    just_before(world.photos / at, lambda: (world.photos / source).rename(world.photos / target))
    for _ in range(2):
        assert world.sync().removed == 0
    assert ids(world) == folders
    world.assert_agreement()


def test_a_photo_that_moves_to_a_root_that_was_looked_at_already_stays_the_same(world, just_before):
    for seed in range(6):
        world.write(f"{'one' if seed < 3 else 'two'}/{seed}.png", seed)
    roots = world.photos / "one", world.photos / "two"
    world.sync(*roots)
    before = ids(world)
    just_before(roots[1], lambda: (roots[1] / "4.png").rename(roots[0] / "4.png"))
    report = world.sync(*roots)
    assert (report.moved, report.removed, ids(world)) == (1, 0, before)


def test_a_photo_that_moves_into_a_root_without_photos_while_another_is_looked_at_stays_the_same(world, just_before):
    one, two = world.photos / "one", world.photos / "two"
    one.mkdir()
    for seed in range(4):
        world.write(f"two/{seed}.png", seed)
    world.sync(one, two)
    known = ids(world)
    just_before(two, lambda: (two / "3.png").rename(one / "3.png"))  # the empty one has had its turn
    world.sync(one, two)
    world.sync(one, two)
    assert ids(world) == known
    world.assert_agreement()


def test_a_photo_that_was_seen_and_moves_into_a_root_without_photos_stays_the_same(world, just_before):
    one, two = world.photos / "one", world.photos / "two"
    two.mkdir()
    for seed in range(4):
        world.write(f"one/{seed}.png", seed)
    world.sync(one, two)
    known = ids(world)
    just_before(two, lambda: (one / "3.png").rename(two / "3.png"))
    report = world.sync(one, two)
    assert (report.added, report.moved, ids(world)) == (0, 1, known)
    world.assert_agreement()


def test_a_photo_that_was_tagged_and_moves_after_it_was_seen_stays_the_same(world, just_before):
    """No photo is as it was: the others are changed, too."""
    for name, seed in (("a.png", 0), ("b.png", 1), ("x/c.png", 2)):
        world.write(name, seed)
    world.sync()
    known = ids(world)
    for name, seed in (("a.png", 10), ("x/c.png", 12)):
        world.write(name, seed)
    os.utime(world.photos / "b.png", (1, 1))
    just_before(world.photos / "x", lambda: (world.photos / "b.png").rename(world.photos / "x/d.png"))
    world.sync()
    world.sync()
    assert ids(world) == {"a.png": known["a.png"], "d.png": known["b.png"], "c.png": known["c.png"]}
    world.assert_agreement()


def test_folders_that_are_deleted_while_the_root_is_looked_at_go_with_the_next_run(world, folders, just_before):
    just_before(world.photos / "m", lambda: [shutil.rmtree(world.photos / name) for name in "yz"])
    report = world.sync()
    assert report.removed == 0
    assert "2 files or folders of" in report.messages[0]
    assert world.library.catalog.counts().missing == 4
    assert world.sync().removed == 4


@pytest.mark.parametrize(
    ("left", "allow"),
    [("nothing", False), ("nothing", True), ("an empty folder", True), ("another folder", False)],
)
def test_a_root_that_goes_while_it_is_looked_at_loses_nothing(world, folders, just_before, left, allow):
    def unplug():
        world.photos.rename(world.photos.with_name("away"))
        if left != "nothing":
            world.photos.mkdir()
        if left == "another folder":
            draw(50).save(world.photos / "other.png")

    just_before(world.photos / "m", unplug)
    report = world.sync(allow_mass_removal=allow)
    assert (report.removed, report.added, report.moved) == (0, 0, 0)
    assert ids(world) == folders
    assert world.library.catalog.counts().missing == 12
    shutil.rmtree(world.photos, ignore_errors=True)
    world.photos.with_name("away").rename(world.photos)
    assert world.sync().unchanged == 12
    assert world.library.catalog.counts().missing == 0


@pytest.mark.parametrize("error", [FileNotFoundError, NotADirectoryError, OSError])
def test_folders_that_cannot_be_listed_any_more_are_unreadable_not_gone(world, folders, monkeypatch, error):
    real = scanner.os.scandir

    def scandir(path):
        if not isinstance(path, int) and Path(path).name in ("y", "z"):
            raise error(5, "gone")
        return real(path)

    monkeypatch.setattr(scanner.os, "scandir", scandir)
    assert world.sync().removed == 0
    monkeypatch.undo()
    assert world.sync().unchanged == 12
    assert ids(world) == folders


def test_a_known_link_to_a_photo_on_a_drive_that_is_away_is_out_of_reach(world, tmp_path):
    drive = tmp_path / "drive"
    (drive / "deep").mkdir(parents=True)
    draw(1).save(drive / "deep" / "a.png")
    for seed in range(2, 6):
        world.write(f"{seed}.png", seed)
    (world.photos / "link.png").symlink_to(drive / "deep" / "a.png")
    world.sync()
    drive.rename(tmp_path / "away")
    assert world.sync().removed == 0
    assert world.library.catalog.photo_at(world.photos / "link.png").missing_since is not None
    drive.mkdir()  # an empty mount point
    assert world.sync().removed == 0
    drive.rmdir()
    (tmp_path / "away").rename(drive)
    assert world.sync().unchanged == 5
    assert world.library.catalog.counts().missing == 0


def test_a_link_to_a_photo_that_was_deleted_from_the_root_goes(world):
    for seed in range(5):
        world.write(f"{seed}.png", seed)
    (world.photos / "link.png").symlink_to("4.png")
    world.sync()
    (world.photos / "4.png").unlink()
    assert world.sync().removed == 2
    (world.photos / "link.png").unlink()
    assert world.sync().removed == 0


def test_a_scan_of_what_stands_still_says_so(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "1.png").write_bytes(b"x")
    found = scan(tmp_path)
    assert (found.unreadable, found.vanished, list(found.files)) == ((), (), ["a/b/1.png"])
    assert [visit.below for visit in found.visits] == ["", "a", "a/b"]


MOUNTS = """
import os, subprocess, sys, threading
from pathlib import Path
from indexer.folders import scanner

root = Path(sys.argv[1])
at, where = sys.argv[2].split(":")
drive = root / at if at else root
drive.mkdir(exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "none", drive], check=True)
for number in range(11):
    (drive / f"f{number:02}").mkdir()
    (drive / f"f{number:02}" / "1.png").write_bytes(b"x")
(root / "zz").mkdir()
(root / "zz" / "2.png").write_bytes(b"x")
real = scanner.os.scandir

def scandir(path):
    if os.fspath(path) == os.fspath(root / where):
        subprocess.run(["umount", "-l", drive], check=True)
    return real(path)

scanner.os.scandir = scandir
found = scanner.scan(root)
print(sorted(found.files), found.unreadable, found.vanished, found.problem)
"""


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (":f07", "[] ('',) () None"),
        (":", "[] () () {root} is empty"),
        ("drive:drive/f07", "['zz/2.png'] ('drive',) () None"),
        ("drive:zz", "['zz/2.png'] ('drive',) () None"),
    ],
)
def test_a_file_system_that_is_unmounted_during_its_scan_is_unreadable(tmp_path, places, expected):
    """In a namespace of its own, where anybody may mount."""
    if not forked_code.may_mount():
        pytest.skip("no namespaces here")
    done = forked_code.run(forked_code.IN_A_NAMESPACE + MOUNTS, tmp_path, places)
    assert done.stdout.startswith(expected.format(root=tmp_path)), done
