"""Network and FUSE mounts, told from mountinfo."""

import pytest

from indexer.folders import mounts

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
