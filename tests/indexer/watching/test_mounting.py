"""Drives and shares that come to folders below a root, and go: how it is noticed, and what is watched then."""

import sys

import pytest

from indexer.folders import mounts, scanner
from indexer.folders.ignoring import FILE_NAME
from indexer.folders.mounts import Mount
from indexer.watching.changes import Kind
from indexer.watching.mounting import MountTable, RememberedPoints
from indexer.watching.polling import Poller
from indexer.watching.watcher import Watcher
from tests import forked_code
from tests.indexer.following import following, wait_until

ROW = "{number} 27 {device} / {point} rw - {kind} {device} rw\n"


class Table:
    """A table of mounts, and whether the system says that it is another one."""

    def __init__(self, folder):
        self.file, self.new = folder / "mountinfo", False
        self.write()

    def write(self, *rows):
        lines = [ROW.format(number=number, device=device, point=point, kind="ext4") for number, device, point in rows]
        self.file.write_text("".join(lines))
        self.new = True

    def is_new(self):
        new, self.new = self.new, False
        return new


def test_what_is_mounted_unmounted_or_exchanged_is_told_once(tmp_path):
    table = Table(tmp_path)
    table.write((1, "8:1", "/"), (2, "8:17", "/media/a"), (3, "8:18", "/media/b"))
    points = MountTable(table.file, table.is_new)
    assert set(points.changed()) == set()
    table.write((1, "8:1", "/"), (4, "8:33", "/media/a"), (3, "8:18", "/media/b"), (5, "0:40", r"/media/a\040drive"))
    assert set(points.changed()) == {"/media/a", "/media/a drive"}
    assert set(points.changed()) == set()
    table.write((1, "8:1", "/"), (4, "8:33", "/media/a"), (6, "8:49", "/media/a"))  # one over the other
    assert set(points.changed()) == {"/media/a", "/media/b", "/media/a drive"}
    points.close()


def test_a_table_that_cannot_be_read_for_the_moment_unmounts_nothing(tmp_path):
    table = Table(tmp_path)
    table.write((2, "8:17", "/media/a"))
    points = MountTable(table.file, table.is_new)
    table.file.rename(tmp_path / "away")
    table.new = True
    assert set(points.changed()) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_systems_table_is_watched_without_waiting():
    points = MountTable()
    assert set(points.changed()) == set()
    points.close()
    assert set(points.changed()) == set()


def test_elsewhere_folders_that_were_mount_points_are_looked_at_now_and_then(tmp_path):
    now = [0.0]
    drive = tmp_path / "drive"
    drive.mkdir()
    points = RememberedPoints(lambda: [str(drive), str(tmp_path / "none")], every_s=10, clock=lambda: now[0])
    assert set(points.changed()) == set()
    drive.rename(tmp_path / "away")
    assert set(points.changed()) == set()
    for _ in range(3):
        now[0] += 10
        assert set(points.changed()) == ({str(drive)} if now[0] == 10 else set())
    drive.mkdir()
    now[0] += 10
    assert set(points.changed()) == {str(drive)}
    (tmp_path / "away").rename(tmp_path / "none")
    now[0] += 10
    assert set(points.changed()) == {str(tmp_path / "none")}


class Points:
    """Says of places that something was mounted there."""

    def __init__(self):
        self.told = set()

    def changed(self):
        told, self.told = self.told, set()
        return told

    def close(self):
        pass


@pytest.fixture
def noted():
    class Noted(list):
        def __call__(self, kind, path):
            self.append((kind, path))

    return Noted()


@pytest.fixture
def points():
    return Points()


@pytest.fixture
def root(tmp_path):
    for name in ("a/b", "c", ".hidden/d", "library", "ignored"):
        (tmp_path / "root" / name).mkdir(parents=True)
    (tmp_path / "root" / FILE_NAME).write_text("ignored\n")
    return tmp_path / "root"


@pytest.fixture
def watcher(noted, root, points):
    watcher = Watcher(Poller(noted, library=root / "library", settle_s=0.05), points=points)
    yield watcher
    watcher.close()


def test_what_is_mounted_below_a_root_is_watched_anew(watcher, root, points, noted):
    watcher.follow([root])
    before = dict(watcher._tree._folders)
    points.told = {str(root / "a"), str(root / "a/b"), "/elsewhere", str(root), str(root.parent)}
    assert watcher.remounted() == [str(root / "a")]
    after = watcher._tree._folders
    assert after.keys() == before.keys()
    assert {path for path in after if after[path] is not before[path]} == {f"{root}/a", f"{root}/a/b"}
    assert watcher.remounted() == []
    (root / "a/b/x.jpg").write_bytes(b"1")
    wait_until(lambda: (Kind.DONE, f"{root}/a/b/x.jpg") in noted, "an event of the new watch")


def test_what_is_passed_over_is_no_root_of_its_own_when_something_is_mounted_there(watcher, root, points):
    watcher.follow([root])
    points.told = {str(root / ".hidden/d"), str(root / "ignored")}
    assert watcher.remounted() == []


def test_a_share_that_is_mounted_below_a_root_is_polled_until_it_goes(watcher, root, points, noted, monkeypatch):
    monkeypatch.setattr(mounts, "read", lambda: [Mount("/", "ext4")])
    watcher.follow([root])
    monkeypatch.setattr(mounts, "read", lambda: [Mount("/", "ext4"), Mount(f"{root}/a", "nfs4")])
    points.told = {str(root / "a")}
    assert watcher.remounted() == [str(root / "a")]
    assert sorted(watcher._tree._folders) == [str(root), f"{root}/c", f"{root}/ignored"]
    (root / "a/b/x.jpg").write_bytes(b"1")
    wait_until(lambda: (Kind.DONE, f"{root}/a/b/x.jpg") in noted, "the share is polled")
    monkeypatch.setattr(mounts, "read", lambda: [Mount("/", "ext4")])
    points.told = {str(root / "a")}
    assert watcher.remounted() == [str(root / "a")]
    assert f"{root}/a/b" in watcher._tree._folders
    assert watcher._poller._places == {}


def test_where_watching_anew_fails_it_is_tried_again(watcher, root, points, monkeypatch):
    watcher.follow([root])
    points.told = {str(root / "a")}
    with monkeypatch.context() as patched:
        patched.setattr(mounts, "read", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            watcher.remounted()
    assert watcher.remounted() == [str(root / "a")]


@pytest.mark.parametrize("mode", ["native", "polling"])
def test_the_daemon_looks_at_a_place_where_something_was_mounted(world, mode):
    """No event says so: the photo came by a way that nobody watched, as one on a drive does."""
    world.write("old.png", 1)
    world.write("usb/old.png", 2)
    with following(world, mode=mode, check_s=3600) as daemon:
        watcher = daemon.daemon._watcher
        watcher._points = told = Points()
        if watcher._tree is not None:
            watcher._tree._drop_tree(str(world.photos / "usb"))
        watcher._poller.remove(world.photos)
        world.write("usb/new.png", 3)
        told.told = {str(world.photos / "usb")}
        daemon.wait_for(added=3)
        if mode == "native":
            world.write("usb/later.png", 4)
            daemon.wait_for(added=4)


def test_a_look_at_a_drive_alone_still_knows_that_it_is_one(tmp_path, monkeypatch):
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb/a.png").write_bytes(b"1")
    assert scanner.scan(tmp_path, "usb").mounts == ()
    monkeypatch.setattr(mounts, "is_mount", lambda folder, among=None: folder == tmp_path / "usb")
    assert scanner.scan(tmp_path, "usb").mounts == ("usb",)


MOUNTED = """
import subprocess, sys
from pathlib import Path
import pytest
from tests.indexer.following import following, wait_until
from tests.indexer.worlds import World
from tests.kept_workers import KeptWorkers

workers = KeptWorkers()
workers.install(pytest.MonkeyPatch())
world = World(Path(sys.argv[1]), Path(sys.argv[2]))
usb = world.photos / "usb"
usb.mkdir()

def mount(*seeds):
    subprocess.run(["mount", "-t", "tmpfs", "none", usb], check=True)
    for seed in seeds:
        world.write(f"usb/{seed}.png", seed)

def unmount():
    subprocess.run(["umount", "-l", usb], check=True)

def missing(count):
    wait_until(lambda: world.library.catalog.counts().missing == count, f"{count} photos out of reach")

def present(name):
    wait_until(lambda: name in world.names(), name)

for seed in range(50, 60):
    world.write(f"{seed}.png", seed)
mount(0, 1, 2)
with following(world, mode=sys.argv[3], check_s=3600) as daemon:
    world.write("usb/3.png", 3)  # a look at the drive alone
    present("usb/3.png")
    unmount()
    missing(4)
    mount(0, 1, 2, 3)
    missing(0)
    world.write("usb/4.png", 4)
    present("usb/4.png")
    (usb / "deep/er").mkdir(parents=True)
    world.write("usb/deep/er/5.png", 5)
    present("usb/deep/er/5.png")
    unmount()
    missing(6)
    mount(0, 1, 2, 3, 4, 7)  # another drive, with what the first had and more
    present("usb/7.png")
    world.write("usb/8.png", 8)
    present("usb/8.png")
    daemon.wait_for(added=18)
workers.close()
print("done")
"""


@pytest.mark.parametrize("mode", ["native", "auto"])
def test_real_drives_come_and_go(tmp_path, tiny_model_path, mode):
    """In a namespace of its own, where anybody may mount."""
    if not forked_code.may_mount():
        pytest.skip("no namespaces here")
    done = forked_code.run(forked_code.IN_A_NAMESPACE + MOUNTED, tmp_path, tiny_model_path, mode, seconds=120)
    assert done.stdout.endswith("done\n"), done.stderr
