"""What the heads of files say, and that little of a large file is read for it."""

import io
import os
import struct
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from indexer.errors import UnreadableError
from indexer.pictures.heads import read_head
from tests.indexer.dng_sample import dng
from tests.indexer.worlds import draw

SHOT = datetime(2021, 7, 4, 10, 11, 12)


def jpeg(seed=1, date="2021:07:04 10:11:12"):
    exif, content = Image.Exif(), io.BytesIO()
    exif[0x010F], exif[0x0110] = "Acme", "Acme One"
    exif.get_ifd(0x8769)[0x9003] = date
    draw(seed).save(content, "JPEG", exif=exif)
    return content.getvalue()


def raf(preview):
    """A Fujifilm RAW as far as its preview."""
    head = b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">6I", 160, len(preview), 0, 0, 0, 0)
    return head.ljust(160, b"\0") + preview


def said(path):
    found = read_head(path)
    return found.taken.at, found.taken.source, found.make, found.model


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [None, b"IIU\0", b"IIRO"])
def test_a_raw_says_what_stands_in_its_header(tmp_path, order, magic):
    (tmp_path / "x.dng").write_bytes(dng(draw(1), order=order, magic=magic if order == "<" else None))
    assert said(tmp_path / "x.dng") == (SHOT, "original", "Acme", "One")


def test_a_raw_that_keeps_it_in_its_preview(tmp_path):
    (tmp_path / "x.raf").write_bytes(raf(jpeg()))
    assert said(tmp_path / "x.raf") == (SHOT, "original", "Acme", "One")


@pytest.mark.parametrize("suffix", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_pictures(tmp_path, suffix):
    path = tmp_path / f"x.{suffix.lower()}"
    with Image.open(io.BytesIO(jpeg())) as image:
        image.save(path, suffix, exif=image.getexif())
    assert said(path)[0] == SHOT


DAMAGED = (b"", b"no", b"II*\0", b"FUJIFILMCCD-RAW", b"\xff\xd8\xff\xe1", b"MM\0*\0\0\0\x08" * 9)


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.parametrize("name", ["x.dng", "x.jpg", "x.heic"])
def test_what_is_damaged_says_nothing(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    assert said(tmp_path / name) == (None, None, None, None)


def test_what_cannot_be_read_now_is_another_matter(tmp_path):
    with pytest.raises(UnreadableError):
        read_head(tmp_path / "gone.dng")
    os.mkfifo(tmp_path / "pipe.dng")
    assert said(tmp_path / "pipe.dng") == (None, None, None, None)


@pytest.mark.parametrize(("name", "content"), [("x.dng", dng(draw(1))), ("x.jpg", jpeg())])
def test_of_a_large_file_little_is_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content + bytes(50_000_000))
    before = bytes_read()
    assert said(tmp_path / name)[0] == SHOT
    assert bytes_read() - before < 1_000_000


def with_segments(jpeg, count, length):
    """The same JPEG with so many comments of so many bytes before all else."""
    comment = b"\xff\xfe" + (length + 2).to_bytes(2, "big") + bytes(length)
    return jpeg[:2] + comment * count + jpeg[2:]


@pytest.mark.parametrize(("count", "length"), [(1, 100), (40, 50_000), (8, 65_533), (300, 4_000), (200_000, 1)])
def test_a_date_behind_much_else_is_found(tmp_path, count, length):
    (tmp_path / "x.jpg").write_bytes(with_segments(jpeg(), count, length) + bytes(1000))
    assert said(tmp_path / "x.jpg") == (SHOT, "original", "Acme", "One")


def test_a_jpeg_of_more_segments_than_any_camera_writes_says_nothing(tmp_path):
    behind = jpeg()
    made = behind[:-2].replace(b"\xff\xda", b"\xff\xfe\0\2" * 300_000 + b"\xff\xda", 1)
    (tmp_path / "x.jpg").write_bytes(made)
    assert said(tmp_path / "x.jpg") == (None, None, None, None)


def bytes_read():
    """What this thread has asked the system for so far."""
    lines = Path("/proc/thread-self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])
