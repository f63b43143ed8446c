"""JPEGs of very many scans, for each of which a decoder walks over the whole picture, are refused, also in a RAW."""

import struct

import pytest
from PIL import Image

from indexer.pictures import images, raw
from indexer.pictures.content.chunks import MOST_PARTS
from indexer.pictures.content.scans import MOST_FILLING, MOST_SCANS, has_too_many_scans, has_too_many_segments
from tests.indexer.dng_sample import dng
from tests.indexer.pictures.test_formats import TRAILERS
from tests.indexer.pictures.test_images import drawn, encoded, reason_of


def end_of(jpeg):
    return jpeg.rindex(b"\xff\xd9")


def with_scans(more, picture=None, between=b""):
    """A progressive JPEG, and its last scan, of which nothing but the head is there, so many times more."""
    sound = encoded(picture or drawn((400, 300)), "JPEG", progressive=True)
    at = sound.rindex(b"\xff\xda")
    head = sound[at : at + 2 + int.from_bytes(sound[at + 2 : at + 4], "big")]
    return sound[: end_of(sound)] + (between + head) * more + sound[end_of(sound) :]


BETWEEN = {
    "nothing": b"",
    "a comment that looks like a scan": b"\xff\xfe\0\6\xff\xd9\xff\xd9",
    "filling": b"\xff\xff\xff",
    "coded data that nobody needs": b"\0\xff\0\x17",
    "a restart": b"\xff\xd0",
}


@pytest.mark.parametrize("between", BETWEEN)
def test_a_jpeg_of_very_many_scans_is_refused_whatever_stands_between_them(between):
    assert "more than 100 scans" in reason_of(with_scans(MOST_SCANS, between=BETWEEN[between]))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_photo_of_a_few_scans_is_read(progressive):
    assert images.decode(encoded(drawn((400, 300)), "JPEG", progressive=progressive), min_side=64).format == "JPEG"
    assert images.decode(with_scans(MOST_SCANS - 20), min_side=64).format == "JPEG"


def test_what_looks_like_scans_in_metadata_and_behind_the_picture_counts_for_nothing():
    marks = b"\xff\xda\0\2" * 1000
    exif = Image.Exif()
    exif[0x9286] = marks
    photo = encoded(drawn((400, 300)), "JPEG", exif=exif, comment=marks) + TRAILERS["google"] + marks
    assert photo.count(b"\xff\xda") > 3000
    assert not has_too_many_scans(photo)
    assert images.decode(photo, min_side=64).format == "JPEG"


def test_the_first_picture_of_several_alone_counts():
    pages = {"save_all": True, "append_images": [drawn((64, 48))] * 150}
    assert images.decode(encoded(drawn((400, 300)), "MPO", **pages), min_side=64).format == "JPEG"
    several = encoded(drawn((400, 300)), "JPEG") + with_scans(MOST_SCANS)
    assert not has_too_many_scans(several)


def test_a_file_that_ends_anywhere_is_looked_at_to_its_end():
    source = with_scans(MOST_SCANS + 100)
    assert not any(has_too_many_scans(source[:cut]) for cut in range(len(source) // 2))
    assert all(has_too_many_scans(source[:cut] + b"\xff\xda" * 200) for cut in range(len(source) - 200, len(source)))


def test_a_raws_preview_of_very_many_scans_gives_way_to_the_development(monkeypatch):
    found = images.decode(dng(drawn((960, 720)), preview=with_scans(MOST_SCANS)), min_side=64)
    assert found.image.size == (480, 360)
    monkeypatch.setattr(raw.scans, "too_many_parts", lambda _: None)
    assert images.decode(dng(drawn((960, 720)), preview=with_scans(MOST_SCANS)), min_side=64).image.size == (400, 300)


def test_the_jpegs_of_a_tiff_are_bounded_likewise():
    """By libtiff itself, which this would tell of a build without."""
    picture = Image.new("L", (400, 304), 128)
    assert images.decode(_tiff_of(with_scans(0, picture)), min_side=64).format == "TIFF"
    assert reason_of(_tiff_of(with_scans(300, picture)))


def _tiff_of(strip):
    fields = {256: 400, 257: 304, 258: 8, 259: 7, 262: 1, 273: 8, 277: 1, 278: 304, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    return struct.pack("<4sI", b"II*\0", 8 + len(strip)) + strip + directory


SEGMENTS = {
    "comments": b"\xff\xfe\0\2",
    "of a program": b"\xff\xe5\0\4ab",
    "tables of nothing": b"\xff\xc4\0\2",
    "restarts": b"\xff\xd0",
    "of no kind": b"\xff\xf0",
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_a_jpeg_of_very_many_segments_is_refused(name):
    """Pillow goes through them one by one, in Python: 20 MB of comments took a quarter of a minute."""
    sound, segment = encoded(drawn(), "JPEG"), SEGMENTS[name]
    assert "more than 262,144 segments" in reason_of(sound[:2] + segment * (MOST_PARTS + 1) + sound[2:])
    assert not has_too_many_segments(sound[:2] + segment * (MOST_PARTS // 2 - 50) + sound[2:])


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\0", b"\0"])
def test_filling_is_passed_over_unless_there_are_megabytes_of_it(filling):
    sound, behind = encoded(drawn(), "JPEG"), 20  # bytes, of the start and the first segment
    assert not has_too_many_segments(sound[:behind] + filling * 300_000 + sound[behind:])
    assert "4 MB between them" in reason_of(sound[:behind] + filling * MOST_FILLING + sound[behind:])


def test_segments_of_a_photo_that_is_cut_off_anywhere_count():
    sound = encoded(drawn(), "JPEG", comment=b"x" * 300)
    assert not any(has_too_many_segments(sound[:cut]) for cut in range(2000))


def test_a_jpeg_of_very_many_segments_of_exif_is_refused():
    """Pillow puts them together one by one, copying what it has each time: 65 MB of them took 15 s."""
    sound, segment = encoded(drawn(), "JPEG"), b"\xff\xe1\0\x0aExif\0\0ab"
    assert "256 of EXIF" in reason_of(sound[:2] + segment * 257 + sound[2:])
    assert images.decode(sound[:2] + segment * 256 + sound[2:], min_side=64).format == "JPEG"
