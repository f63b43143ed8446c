"""Sidecars: which file belongs to a photo, and what happens where it cannot be read."""

import os

import pytest

from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.metadata.sidecar import name_in, read_sidecar, sidecar_name, stamp_beside
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
        ("a.jpg", [], None),
    ],
)
def test_which_file_is_a_photos(photo, there, expected):
    assert sidecar_name(photo, {name.lower(): name for name in there}) == expected


def test_a_stamp_tells_size_time_and_name(tmp_path):
    photo, beside = tmp_path / "a-1.jpg", tmp_path / "a-1.jpg.xmp"
    names = {beside.name: beside.name}
    assert stamp_beside(str(photo), names) == ""  # gone since it was listed
    beside.write_bytes(b"x")
    os.utime(beside, ns=(5, 7))
    stamp = stamp_beside(str(photo), names)
    assert (stamp, name_in(stamp), name_in("")) == ("1-7-a-1.jpg.xmp", "a-1.jpg.xmp", "")


def test_what_cannot_be_read_says_nothing(tmp_path):
    photo = tmp_path / "a.jpg"
    assert read_sidecar(photo, "a.xmp") == PhotoMetadata()
    (tmp_path / "a.xmp").mkdir()
    assert read_sidecar(photo, "a.xmp") == PhotoMetadata()
    os.mkfifo(tmp_path / "b.xmp")
    assert read_sidecar(photo, "b.xmp") == PhotoMetadata()
    (tmp_path / "c.xmp").write_bytes(packet("<dc:title>Dog</dc:title>") + b" " * MAX_BYTES)
    assert read_sidecar(photo, "c.xmp") == PhotoMetadata()
    (tmp_path / "d.xmp").write_bytes(packet("<dc:title>Dog</dc:title>"))
    assert read_sidecar(photo, "d.xmp").title == "Dog"
