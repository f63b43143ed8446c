"""Sidecars: which file belongs to a photo, and what happens where it cannot be read."""

import errno
import os
from pathlib import Path

import pytest

from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.metadata.sidecar import kept, name_in, read_sidecar, sidecar_name, stamp_beside, widens
from indexer.metadata.xmp import MAX_BYTES
from tests.indexer.written import packet


@pytest.mark.parametrize(
    ("photo", "there", "expected"),
    [
        ("a.jpg", ["a.jpg.xmp", "a.xmp"], "a.jpg.xmp"),
        ("a.jpg", ["a.xmp"], "a.xmp"),
        ("A.JPG", ["a.XMP"], "a.XMP"),
        ("a.jpg", ["b.xmp", "a.png.xmp"], None),
        ("a.b.jpg", ["a.xmp"], None),
        ("a.b.jpg", ["a.b.xmp"], "a.b.xmp"),
        ("a.CR2.jpg", ["a.CR2.xmp"], None),
        ("a.CR2.jpg", ["a.CR2.xmp", "a.CR2.jpg.xmp"], "a.CR2.jpg.xmp"),
        ("a.jpg", [], None),
    ],
)
def test_which_file_is_a_photos(photo, there, expected):
    assert sidecar_name(photo, {name.lower(): name for name in there}) == expected


def test_a_stamp_tells_size_time_and_name(tmp_path):
    photo, beside = tmp_path / "a-1.jpg", tmp_path / "a-1.jpg.xmp"
    names = {beside.name: beside.name}
    unseen = stamp_beside(str(photo), names)  # gone since it was listed
    assert (name_in(unseen), kept(unseen, read=True)) == (beside.name, None)
    beside.write_bytes(b"x")
    os.utime(beside, ns=(5, 7))
    stamp, changed = stamp_beside(str(photo), names), beside.stat().st_ctime_ns
    assert (stamp, name_in(stamp), name_in("")) == (f"1-7:{changed}-a-1.jpg.xmp", "a-1.jpg.xmp", "")
    assert (kept(stamp, read=True), kept(stamp, read=False), kept("", read=True)) == (stamp, None, "")


@pytest.mark.parametrize("when", ["7", "-7"])  # of 1970, or before
@pytest.mark.parametrize("name", ["a-1.jpg.xmp", ":5-b.xmp"])
def test_a_stamp_of_an_older_picsift_is_widened_by_one_of_the_same_file_alone(when, name):
    known, now = f"1-{when}-{name}", f"1-{when}:99-{name}"
    assert name_in(known) == name_in(now) == name
    assert widens(known, now)
    for other in (f"2-{when}:99-{name}", f"1-8:99-{name}", f"{now}x", "", f"?-?-{name}"):
        assert not widens(known, other)
    assert not widens(None, now)
    assert not widens("", now)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EBUSY, errno.ENOENT, errno.EMFILE])
@pytest.mark.parametrize("where", ["stat", "open"])
def test_what_cannot_be_opened_for_the_moment_is_not_empty(tmp_path, monkeypatch, number, where):
    (tmp_path / "a.xmp").write_bytes(packet("<dc:title>Dog</dc:title>"))

    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, where, refused)
    assert read_sidecar(tmp_path / "a.jpg", "a.xmp") is None


def test_what_can_never_be_read_says_nothing(tmp_path):
    photo = tmp_path / "a.jpg"
    assert read_sidecar(photo, "a.xmp") is None
    (tmp_path / "a.xmp").mkdir()
    assert read_sidecar(photo, "a.xmp") == PhotoMetadata()
    os.mkfifo(tmp_path / "b.xmp")
    assert read_sidecar(photo, "b.xmp") == PhotoMetadata()
    (tmp_path / "d.xmp").write_bytes(packet("<dc:title>Dog</dc:title>"))
    assert read_sidecar(photo, "d.xmp").title == "Dog"


def test_what_is_too_large_may_say_what_it_said_before(tmp_path):
    with (tmp_path / "a.xmp").open("wb") as sidecar:
        sidecar.write(packet("<dc:title>Dog</dc:title>"))
        sidecar.truncate(MAX_BYTES + 1)
    assert read_sidecar(tmp_path / "a.jpg", "a.xmp") is None


def test_a_mask_of_megabytes_costs_nothing_of_what_else_is_said(tmp_path):
    masks = f'xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:Mask="{"A" * (11 << 20)}"'
    (tmp_path / "a.xmp").write_bytes(packet("<dc:title>Dog</dc:title><xmp:Rating>4</xmp:Rating>", masks))
    found = read_sidecar(tmp_path / "a.jpg", "a.xmp")
    assert (found.title, found.rating) == ("Dog", 4)


@pytest.mark.parametrize(
    ("said", "photo", "title"),
    [
        ("", "a.jpg", "Dog"),
        ('photoshop:SidecarForExtension="JPG"', "a.jpg", "Dog"),
        ('photoshop:SidecarForExtension=".jpeg"', "a.jpg", "Dog"),
        ('photoshop:SidecarForExtension="CR2"', "a.jpg", None),
        ('photoshop:SidecarForExtension="CR2"', "a.cr2", "Dog"),
        ('crs:RawFileName="a.NEF"', "a.jpg", None),
        ('crs:RawFileName="a.NEF"', "a.nef", "Dog"),
        ('crs:RawFileName="a"', "a.jpg", "Dog"),
    ],
)
def test_a_sidecar_says_itself_whose_it_is(tmp_path, said, photo, title):
    spaces = 'xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" '
    (tmp_path / "a.xmp").write_bytes(packet("<dc:title>Dog</dc:title>", spaces + said))
    assert read_sidecar(tmp_path / photo, "a.xmp").title == title
