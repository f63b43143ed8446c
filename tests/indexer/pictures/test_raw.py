"""Camera RAW: which files are, what is shown of them, and what is wrong with damaged ones."""

import struct
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from indexer.errors import ImageError
from indexer.metadata import exif
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.pictures import formats, images, raw, raw_header
from tests.fuzzing import examples
from tests.indexer.dng_sample import dng
from tests.indexer.pictures.test_images import corners, drawn, encoded, is_near, reason_of, turned

NAMES = ("red", "green", "blue", "yellow")


def has_right_colours(image):
    return all(is_near(pixel, name, 70) for pixel, name in zip(corners(image), NAMES, strict=True))


def sensor(orientation=1, size=(960, 720)):
    """What a sensor sees of a picture that stands 960 x 720 when it is turned as its orientation says."""
    return turned(orientation).resize(size if orientation < 5 else size[::-1])


def jpeg(picture, **options):
    return encoded(picture, "JPEG", quality=95, **options)


@pytest.fixture(scope="module")
def plain():
    return dng(sensor())


# what is one


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("preview", [None, jpeg(drawn())])
@pytest.mark.parametrize("dng_version", [True, False])
def test_a_raw_is_told_from_a_tiff_by_its_mosaic_or_its_dng_version(order, preview, dng_version):
    assert formats.sniff(dng(drawn(), preview=preview, order=order, dng_version=dng_version)) == "RAW"


@pytest.mark.parametrize("options", [{}, {"compression": "jpeg"}, {"compression": "tiff_lzw"}, {"save_all": True}])
def test_a_tiff_is_no_raw(options):
    assert formats.sniff(encoded(drawn(), "TIFF", **options)) == "TIFF"
    assert formats.sniff(encoded(drawn(), "TIFF", **options), ".tif") == "TIFF"


def test_a_tiff_under_a_raws_name_is_read_as_what_it_is(tmp_path):
    source = encoded(drawn(), "TIFF")
    assert formats.sniff(source, ".nef") == "RAW"
    (tmp_path / "a.NEF").write_bytes(source)
    assert images.load(tmp_path / "a.NEF", min_side=32).decoded.format == "TIFF"
    (tmp_path / "b.cr2").write_bytes(encoded(drawn(), "JPEG"))
    assert images.load(tmp_path / "b.cr2", min_side=32).decoded.format == "JPEG"


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201",
        b"IIU\0\x18\0\0\0",
        b"IIRO\x08\0\0\0",
        b"IIRS\x08\0\0\0",
        b"MMOR\0\0\0\x08",
        b"\0MRM\0\0\0\0",
        b"FOVb\x01\0\x02\0",
        b"II\x1a\0\0\0HEAPCCDR",
        b"II*\0\x10\0\0\0CR\x02\0",
        b"II*\0\x08\0\0\0IIII",
        b"MM\0*\0\0\0\x08MMMM",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
    ],
)
def test_the_makers_signatures_are_known_and_a_damaged_file_is_a_reason(head):
    assert formats.sniff(head + bytes(200)) == "RAW"
    assert any(word in reason_of(head + bytes(2000)) for word in ("RAW", "truncated"))


def test_raw_suffixes_are_looked_for():
    assert {".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw"} <= formats.SUFFIXES
    assert not raw_header.SUFFIXES & formats.PICTURE_SUFFIXES


# what is shown


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_development_is_upright_and_has_the_size_of_the_full_picture(orientation):
    found = images.decode(dng(sensor(orientation), orientation=orientation), min_side=64)
    assert (found.format, found.width, found.height, found.image.size) == ("RAW", 960, 720, (480, 360))
    assert (found.image.mode, found.metadata.orientation) == ("RGB", orientation)
    assert has_right_colours(found.image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_preview_is_taken_and_stands_upright(orientation):
    preview = sensor(orientation, (400, 300)).convert("L")  # grey, so that it is no development
    found = images.decode(
        dng(sensor(orientation), preview=jpeg(preview), orientation=orientation, named=False), min_side=64
    )
    assert (found.width, found.height, found.image.size) == (960, 720, (400, 300))
    red, green, blue, yellow = (pixel[0] for pixel in corners(found.image))
    assert corners(found.image)[0] == (red,) * 3
    assert blue < red < yellow and blue < green < yellow
    assert found.metadata.orientation == orientation


def test_a_preview_that_was_turned_already_is_not_turned_again():
    preview = jpeg(drawn((300, 400)).convert("L"))
    found = images.decode(dng(drawn((960, 720)), preview=preview, orientation=6), min_side=64)
    assert (found.width, found.height, found.image.size) == (720, 960, (300, 400))
    assert corners(found.image)[0][0] < corners(found.image)[3][0]


@pytest.mark.parametrize(
    ("preview_size", "min_side", "expected"),
    [
        ((400, 300), 150, "preview"),
        ((400, 300), 151, "development"),
        ((380, 300), 64, "development"),
        ((1600, 1200), 64, "preview"),
        ((480, 360), 600, "preview"),  # a development would be no larger
    ],
)
def test_a_preview_has_to_hold_twice_the_side_and_a_thumbnail(preview_size, min_side, expected):
    preview = jpeg(Image.new("L", preview_size, 128))
    image = images.decode(dng(drawn((960, 720)), preview=preview), min_side=min_side).image
    assert is_near(image.getpixel((10, 10)), "red" if expected == "development" else "gray")
    if preview_size == (1600, 1200):
        assert image.size == (400, 300)  # decoded at reduced scale


def test_a_damaged_preview_gives_way_to_the_development():
    preview = jpeg(drawn((400, 300)))
    found = images.decode(dng(drawn((960, 720)), preview=preview[: len(preview) // 2]), min_side=64)
    assert found.image.size == (480, 360) and has_right_colours(found.image)


def test_a_previews_profile_is_converted():
    from tests.indexer.pictures.test_images import wide_profile

    preview = jpeg(Image.new("RGB", (400, 300), "red"), icc_profile=wide_profile())
    found = images.decode(dng(drawn((960, 720)), preview=preview), min_side=64)
    assert is_near(found.image.getpixel((5, 5)), "blue")


# metadata


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("preview", [None, jpeg(drawn((400, 300)))])
def test_metadata_come_from_the_raws_own_header(order, preview):
    found = images.decode(dng(drawn((960, 720)), preview=preview, order=order), min_side=64).metadata
    assert (found.taken_at, found.taken_offset_min) == (datetime(2021, 7, 4, 10, 11, 12), 120)
    assert (found.taken_source, found.camera_make, found.camera_model) == ("original", "Acme", "One")
    assert found.lens == "Acme 35mm"


def test_metadata_come_from_the_preview_where_the_header_has_none():
    exif = Image.Exif()
    exif.update({271: "Other", 272: "Two", 306: "2020:01:02 03:04:05"})
    source = dng(drawn((960, 720)), preview=jpeg(drawn((200, 150)), exif=exif), named=False, dng_version=False)
    found = images.decode(source, min_side=64)
    assert found.image.size == (480, 360)
    assert (found.metadata.camera_model, found.metadata.taken_at) == ("Two", datetime(2020, 1, 2, 3, 4, 5))


def test_no_date_and_no_camera_are_invented():
    for preview in (None, jpeg(drawn((400, 300)))):
        source = dng(drawn((960, 720)), preview=preview, named=False, dng_version=False)
        assert images.decode(source, min_side=64).metadata == PhotoMetadata()


def test_panasonic_and_olympus_keep_exif_behind_another_mark():
    source = dng(drawn())
    for mark in (b"IIU\0", b"IIRO"):
        assert raw_header.exif(mark + source[4:])[272] == "Acme One"


def test_canons_boxes_are_read():
    def box(kind, body):
        return struct.pack(">I4s", len(body) + 8, kind) + body

    def directory(**fields):
        tags = ImageFileDirectory_v2()
        tags.update({int(name[1:]): value for name, value in fields.items()})
        return b"II*\0\x08\0\0\0" + tags.tobytes(8)

    camera, shot = directory(t271="Canon", t272="Canon EOS R5"), directory(t36867="2021:07:04 10:11:12")
    place = directory(t1="N", t2=(10.0, 30.0, 0.0), t3="E", t4=(20.0, 0.0, 0.0))
    moov = box(b"moov", box(b"uuid", bytes(16) + box(b"CMT1", camera) + box(b"CMT2", shot) + box(b"CMT4", place)))
    found = exif.read_metadata(raw_header.exif(box(b"ftyp", b"crx \0\0\0\1") + moov))
    assert (found.camera_make, found.camera_model, found.taken_source) == ("Canon", "EOS R5", "original")
    assert (found.taken_at, found.latitude, found.longitude) == (datetime(2021, 7, 4, 10, 11, 12), 10.5, 20.0)
    assert exif.read_metadata(raw_header.exif(box(b"ftyp", b"crx \0\0\0\1"))).taken_at is None


# damage


@pytest.mark.parametrize("preview", [None, jpeg(drawn((400, 300)))])
def test_a_truncated_raw_is_refused_though_its_preview_is_whole(preview):
    source = dng(drawn((960, 720)), preview=preview)
    for tenth in (*range(1, 10), 9.9):
        assert "truncated" in reason_of(source[: int(len(source) * tenth / 10)])
    assert "truncated" in reason_of(source[:-2])  # LibRaw alone lets this pass


def test_other_truncated_raws_are_refused():
    raf = b"FUJIFILMCCD-RAW ".ljust(84, b"0") + struct.pack(">6I", 148, 100, 248, 10, 258, 5000)
    assert raw_header.is_cut_short(raf.ljust(5257, b"\0")) and not raw_header.is_cut_short(raf.ljust(5258, b"\0"))
    cr3 = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + struct.pack(">I4s", 1000, b"mdat")
    assert raw_header.is_cut_short(cr3.ljust(1000, b"\0")) and not raw_header.is_cut_short(cr3.ljust(1024, b"\0"))


def test_too_many_pixels_are_refused_before_anything_is_unpacked(plain):
    reason = reason_of(plain, max_pixels=690_000)
    assert "960 x 720" in reason and "max_pixels" in reason


def test_a_missing_libraw_is_named(monkeypatch, plain):
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    assert "pip install rawpy" in reason_of(plain)
    assert "rawpy" in (formats.check_formats()["RAW"] or "")


def test_directories_in_a_circle_end():
    source = bytearray(dng(drawn()))
    count = struct.unpack_from("<H", source, 8)[0]
    struct.pack_into("<I", source, 10 + 12 * count, 8)
    assert formats.sniff(bytes(source)) == "RAW"


@given(st.lists(st.tuples(st.integers(0, 8191), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=examples(150))
def test_flipped_bytes_are_an_image_error_or_a_picture(plain, apart, flips):
    source = bytearray(plain)
    for at, value in flips:
        source[at] = value
    try:
        assert apart(bytes(source)).image.mode == "RGB"
    except ImageError as error:
        assert str(error)


def test_the_reason_names_librarys_version_where_a_camera_is_unknown():
    with pytest.raises(raw.NotRawError, match=r"LibRaw \d+\.\d+"):
        raw.read(b"II*\0" + bytes(100), enough=lambda _: True, check_size=lambda *_: None)
