"""Network and FUSE mounts, told from mountinfo, and parts of one disk that are mounted elsewhere on it."""

import shutil

import pytest

from indexer.folders import mounts
from tests.indexer.folders.drives import ids, known, on_drive

TABLE = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:50 / /home/me/NAS\040photos rw,relatime shared:7 - cifs //nas/photos rw,vers=3.1.1
41 27 0:51 / /mnt/nfs rw - nfs4 nas:/export rw
42 27 0:52 / /mnt/phone rw,nosuid - fuse.sshfs me@phone:/ rw
43 27 8:17 / /media/me/stick rw - fuseblk /dev/sdb1 rw
44 41 8:18 / /mnt/nfs/local rw - ext4 /dev/sdc1 rw
45 27 0:53 / /over rw - nfs nas:/a rw
46 27 0:54 / /over rw - tmpfs tmpfs rw
this line is none
"""


@pytest.mark.parametrize(
    ("path", "fstype", "silent"),
    [
        ("/home/me/Pictures", "ext4", False),
        ("/home/me/NAS photos", "cifs", True),
        ("/home/me/NAS photos/2021", "cifs", True),
        ("/home/me/NAS photos of old", "ext4", False),
        ("/mnt/nfs/a", "nfs4", True),
        ("/mnt/nfs/local/a", "ext4", False),
        ("/mnt/phone/DCIM", "fuse.sshfs", True),
        ("/media/me/stick/DCIM", "fuseblk", False),
        ("/over/a", "tmpfs", False),
    ],
)
def test_which_mount_a_folder_lies_on_and_whether_it_tells_of_changes(path, fstype, silent):
    mount = mounts.mount_of(path, mounts.parse(TABLE))
    assert (mount.fstype, mount.silent) == (fstype, silent)


def test_silent_mounts_below_a_folder():
    table = mounts.parse(TABLE)
    assert mounts.silent_below("/", table) == ["/home/me/NAS photos", "/mnt/nfs", "/mnt/phone"]
    assert mounts.silent_below("/home", table) == ["/home/me/NAS photos"]
    assert mounts.silent_below("/home/me/NAS photos", table) == []


def test_a_mount_point_that_is_no_utf_8_is_the_name_that_the_system_gives():
    line = b"40 27 0:50 / /mnt/caf\xe9\\040x rw - nfs n:/ rw"
    import os

    (mount,) = mounts.parse(os.fsdecode(line))
    assert os.fsencode(mount.point) == b"/mnt/caf\xe9 x"


def test_this_machine_has_a_root_and_no_table_is_no_mounts(tmp_path, monkeypatch):
    assert mounts.mount_of("/", mounts.read()).point == "/"
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "none")
    assert mounts.read() == []


@pytest.fixture
def bound(world, tmp_path, monkeypatch):
    """Says that a part of the same disk is mounted in these folders of the root: no device tells."""

    def bind(*folders):
        points = ["/", *(str(world.photos / folder).replace(" ", r"\040") for folder in folders)]
        table.write_text("".join(f"{40 + n} 27 254:0 /x {point} rw - ext4 /d rw\n" for n, point in enumerate(points)))

    table = tmp_path / "mountinfo"
    monkeypatch.setattr(mounts, "MOUNTINFO", table)
    bind()
    return bind


@pytest.mark.parametrize("look", ["", "my share"])
def test_a_part_of_the_same_disk_that_was_mounted_and_is_not_loses_nothing(world, bound, look):
    bound("my share")
    for seed in range(12):
        world.write(f"disk/{seed}.png", seed)
    on_drive(world, 20, 21, 22, name="my share")
    world.sync()
    before = ids(world)
    (world.photos / "my share").rename(world.photos.with_name("away"))
    world.write("my share/readme.txt", b"mount here")
    bound()
    assert world.sync(world.photos / look).removed == 0
    assert [path for path, photo in known(world).items() if photo.missing] == [
        f"my share/{n}.png" for n in (20, 21, 22)
    ]
    shutil.rmtree(world.photos / "my share")
    world.photos.with_name("away").rename(world.photos / "my share")
    bound("my share")
    assert world.sync().removed == 0
    assert ids(world) == before and not any(photo.missing for photo in known(world).values())
    (world.photos / "my share" / "20.png").unlink()
    assert world.sync().removed == 1  # what is deleted there while it is mounted


def test_a_folder_that_was_mounted_and_holds_its_photos_by_now_is_an_ordinary_one(world, bound):
    bound("x")
    for seed in range(12):
        world.write(f"disk/{seed}.png", seed)
    on_drive(world, 20, 21, name="x")
    world.sync()
    bound()
    world.sync()
    (world.photos / "x/20.png").unlink()
    assert world.sync().removed == 1


def test_a_mount_point_of_the_table_is_one_and_a_folder_in_it_is_none(world, bound):
    (world.photos / "x/y").mkdir(parents=True)
    bound("x")
    assert mounts.is_mount(world.photos / "x")
    assert not mounts.is_mount(world.photos / "x/y")
    assert not mounts.is_mount(world.photos / "x", among=())
    bound("gone")
    assert not mounts.is_mount(world.photos / "gone")
