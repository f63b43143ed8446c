"""Where file systems are mounted, and which tell nobody of changes made elsewhere: shares, and most FUSE mounts.

The parser is pure; the reader reads /proc/self/mountinfo, and finds nothing where there is none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
SILENT = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "9p", "afs", "ceph", "coda", "glusterfs", "lustre"),
        *("gpfs", "beegfs", "orangefs", "pvfs2", "ocfs2", "gfs2", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "virtiofs"),
        *("fuse", "davfs", "davfs2", "acfs"),
    )
)
"""File systems that others change behind this machine's back."""

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo: where what is mounted; `number` and `device` tell one mount there from the next."""

    point: str
    fstype: str
    number: str = ""
    device: str = ""

    @property
    def silent(self) -> bool:
        """Whether changes can come without an event; `fuseblk` is a local disk, and tells."""
        return self.fstype in SILENT or self.fstype.startswith("fuse.")


def parse(text: str) -> list[Mount]:
    """The mounts of a mountinfo file, in its order; lines that are none are passed over (proc(5))."""
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) >= 6 and rest[0]:
            mounts.append(Mount(_plain(fields[4]), rest[0], fields[0], fields[2]))
    return mounts


def read() -> list[Mount]:
    """The mounts that this process sees."""
    try:
        return parse(os.fsdecode(MOUNTINFO.read_bytes()))
    except OSError:
        return []


def mount_of(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """The mount that an absolute path lies on: of the deepest mount points the one mounted last."""
    best = None
    for mount in mounts:
        if holds(mount.point, path) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def silent_below(folder: str, mounts: Sequence[Mount]) -> list[str]:
    """The mount points below a folder whose file systems are silent."""
    points = {mount.point for mount in mounts if mount.point != folder and holds(folder, mount.point)}
    return sorted(point for point in points if (mount := mount_of(point, mounts)) and mount.silent)


def points() -> frozenset[str]:
    """The mount points of the table, whatever is mounted there: a part of the same disk is no other device."""
    return frozenset(mount.point for mount in read())


def is_mount(folder: Path, among: Collection[str] | None = None) -> bool:
    """Whether a folder lies on another device than the one that holds it, or is one of the mount points of the table.

    Args:
        folder: absolute, with no link on the way.
        among: `points()`; None reads them now.
    """
    try:
        if folder.stat().st_dev != folder.parent.stat().st_dev:
            return True
    except OSError:
        return False
    return str(folder) in (points() if among is None else among)


def mounted_on_the_way(root: Path, below: str, among: Collection[str]) -> list[str]:
    """Those that are mount points of a folder in a root and the ones that hold it, but for the root; "" is the root."""
    parts = below.split("/") if below else []
    ways = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
    return [path for path in ways if is_mount(root / path, among)]


def holds(folder: str, path: str) -> bool:
    """Whether a path is a folder, or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def place_of(path: str, places: Collection[str]) -> str | None:
    """The innermost of some folders of a root, "" for the root itself, that holds a path; None where none does."""
    return max((place for place in places if not place or holds(place, path)), key=len, default=None)


def places_inside(places: Collection[str], place: str) -> list[str]:
    """Those of some folders of a root that lie in one of them, "" for the root itself."""
    return [other for other in places if other != place and (not place or holds(place, other))]


def _plain(field: str) -> str:
    r"""A field with its octal escapes (\040 is a space) resolved; bytes that are no UTF-8 stay what they are."""
    unescaped = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
    if unescaped == field:
        return field
    return os.fsdecode(b"".join(_bytes(character) for character in unescaped))


def _bytes(character: str) -> bytes:
    return bytes([ord(character)]) if ord(character) < 0x80 else os.fsencode(character)
