"""A photo's metadata from its picture, its sidecar, its name and its file's time, on real files."""

import io
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from indexer.metadata.describing import complete, metadata_of
from indexer.metadata.photo_metadata import Keyword
from indexer.pictures.formats import open_picture
from indexer.pictures.images import load
from tests.indexer.written import exif, iptc, jpeg, listed, packet

PHOTOS = Path(__file__).resolve().parents[3].parent / "shared" / "photos" / "metadata"
needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"the real photos are not at {PHOTOS}")

JULY_2021 = 1_625_393_472_000_000_000
ORIGINAL, DIGITIZED, MODIFIED = (
    (36867, "2001:01:01 01:01:01"),
    (36868, "2002:01:01 01:01:01"),
    (306, "2008:01:01 01:01:01"),
)
GPS = {29: "2003:01:01", 7: (1.0, 2.0, 3.5)}
IPTC = iptc((55, b"20040101"))
XMP = packet(attributes='photoshop:DateCreated="2006-01-01"')
SIDECAR = packet(attributes='photoshop:DateCreated="2005-01-01"')


def described(path, source, *, sidecar=b"", mtime_ns=JULY_2021):
    path.write_bytes(source)
    if sidecar:
        path.with_name(path.name + ".xmp").write_bytes(sidecar)
    written = load(path, min_side=16).decoded.metadata
    return complete(written, path, sidecar=path.name + ".xmp" if sidecar else "", mtime_ns=mtime_ns)[0]


def test_the_first_sound_field_dates_the_photo(tmp_path):
    path = tmp_path / "IMG_20070101_010101.jpg"
    main, photo, gps, block, inside, beside = dict([MODIFIED]), dict([ORIGINAL, DIGITIZED]), GPS, IPTC, XMP, SIDECAR
    years = {"original": 2001, "digitized": 2002, "iptc": 2004, "sidecar": 2005, "xmp": 2006, "name": 2007, "gps": 2003}
    for source, year in years.items():
        options = {"xmp": inside} if inside else {}
        found = described(path, jpeg(block, exif=exif(main, photo, gps), **options), sidecar=beside)
        assert (found.taken_source, found.taken_at.year) == (source, year)
        path = tmp_path / "IMG_2041.jpg" if source == "name" else path
        photo.pop({"original": 36867, "digitized": 36868}.get(source), None)
        gps = {} if source == "gps" else gps
        block = b"" if source == "iptc" else block
        beside = packet() if source == "sidecar" else beside
        inside = b"" if source == "xmp" else inside
    found = described(path, jpeg(exif=exif(main)))
    assert (found.taken_source, found.taken_at) == ("modified", datetime(2008, 1, 1, 1, 1, 1))
    found = described(path, jpeg())
    assert (found.taken_source, found.taken_at.date()) == ("file", datetime(2021, 7, 4).date())
    found = described(path, jpeg(), mtime_ns=0)
    assert (found.taken_source, found.taken_at, found.taken_offset_min) == (None, None, None)


def test_gps_time_is_utc_and_a_day_alone_is_no_date(tmp_path):
    found = described(tmp_path / "a.jpg", jpeg(exif=exif(gps=GPS)))
    assert (found.taken_at, found.taken_offset_min) == (datetime(2003, 1, 1, 1, 2, 3), 0)
    for gps in ({29: "2003:01:01"}, {7: (1.0, 2.0, 3.0)}, {29: "2003:01:01", 7: (25.0, 0.0, 0.0)}):
        assert described(tmp_path / "a.jpg", jpeg(exif=exif(gps=gps))).taken_source == "file"


def test_a_receiver_gives_the_camera_its_zone_and_is_not_believed_where_its_weeks_have_turned(tmp_path):
    here = {29: "2003:01:01", 7: (1.0, 2.0, 3.0)}
    found = described(tmp_path / "a.jpg", jpeg(exif=exif(photo=[(36867, "2003:01:01 03:02:04")], gps=here)))
    assert (found.taken_at, found.taken_offset_min, found.taken_source) == (
        datetime(2003, 1, 1, 3, 2, 4),
        120,
        "original",
    )
    behind = {29: "2000:03:19", 7: (10.0, 11.0, 12.0)}
    found = described(tmp_path / "IMG_20191103_101112.jpg", jpeg(exif=exif(gps=behind)))
    assert (found.taken_at, found.taken_offset_min) == (datetime(2019, 11, 3, 10, 11, 12), None)
    found = described(tmp_path / "a.jpg", jpeg(exif=exif(gps=behind)), mtime_ns=1_572_775_872 * 10**9)
    assert found.taken_source == "file"
    found = described(tmp_path / "a.jpg", jpeg(exif=exif([(306, "2019:11:03 10:11:12")], gps=behind)))
    assert found.taken_source == "modified"


@pytest.mark.parametrize(
    "unsound", ["0000:00:00 00:00:00", "1970:01:01 00:00:00", "1904:01:01 00:00:00", "2098:01:01 00:00:00"]
)
def test_an_unsound_field_gives_way(tmp_path, unsound):
    found = described(tmp_path / "a.jpg", jpeg(exif=exif(photo=[(36867, unsound), (36868, unsound)], gps=GPS)))
    assert (found.taken_source, found.taken_at.year) == ("gps", 2003)


def test_a_sidecar_has_the_last_word_and_adds_its_keywords(tmp_path):
    inside = packet(listed("dc:subject", "dog") + "<dc:title>inside</dc:title>", 'xmp:Rating="2"')
    beside = packet(
        listed("dc:subject", "Dog", "beach"),
        'xmp:Rating="-1" dc:description="beside" exif:GPSLatitude="10,0N" exif:GPSLongitude="20,0E"',
    )
    found = described(tmp_path / "a.jpg", jpeg(iptc((25, b"sea")), xmp=inside), sidecar=beside)
    assert (found.title, found.description, found.rating) == ("inside", "beside", -1)
    assert (found.latitude, found.longitude) == (10, 20)
    assert found.keywords == (Keyword("Dog", "sidecar"), Keyword("beach", "sidecar"), Keyword("sea", "iptc"))


def test_exif_holds_exposure_rating_and_words(tmp_path):
    photo = {33434: 0.004, 33437: 2.8, 34855: 400, 37386: 50.0, 41989: 75, 37510: b"ASCII\0\0\0A comment"}
    main = {18246: 4, 0x9C9B: "Größe".encode("utf-16-le"), 0x9C9E: "red;big dog; red".encode("utf-16-le")}
    found = described(tmp_path / "a.jpg", jpeg(exif=exif(main, photo)))
    assert (found.exposure_s, found.f_number, found.iso, found.focal_mm, found.focal_35mm_mm) == (
        0.004,
        2.8,
        400,
        50,
        75,
    )
    assert (found.rating, found.title, found.description) == (4, "Größe", "A comment")
    assert found.keywords == (Keyword("red", "exif"), Keyword("big dog", "exif"))
    found = described(tmp_path / "b.jpg", jpeg(exif=exif({270: "Described"}, photo | {34855: 65535, 34866: 102400})))
    assert (found.description, found.iso) == ("Described", 102400)


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        (b"UNICODE\0" + "Größe".encode("utf-16-le"), "Größe"),
        (b"UNICODE\0" + "Größe".encode("utf-16-be"), "Größe"),
        (b"\0" * 8 + b"plain", "plain"),
        (b"ASCII\0\0\0" + bytes(range(40)), None),
        (b"ASCII\0\0\0", None),
        (b"short", None),
    ],
)
def test_user_comments(tmp_path, comment, expected):
    assert described(tmp_path / "a.jpg", jpeg(exif=exif(photo={37510: comment}))).description == expected


def test_apex_values_stand_in_for_time_and_aperture(tmp_path):
    found = described(tmp_path / "a.jpg", jpeg(exif=exif(photo={37377: 8.0, 37378: 4.0})))
    assert (found.exposure_s, found.f_number) == (0.00390625, 4.0)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_xmp_is_found_in_every_format_that_has_it(tmp_path, format):
    path, source = tmp_path / "photo", packet(listed("dc:subject", "dog"))
    image, options = Image.new("RGB", (32, 24), "red"), {"xmp": source}
    if format == "PNG":
        notes = PngImagePlugin.PngInfo()
        notes.add_itxt("XML:com.adobe.xmp", source.decode())
        options = {"pnginfo": notes}
    elif format == "TIFF":
        options = {"tiffinfo": {700: source}}
    image.save(path, format, **options)
    found = load(path, min_side=16).decoded
    assert (found.format, found.metadata.keywords) == (format, (Keyword("dog", "xmp"),))


def test_xmp_in_jpeg_xl_is_read():
    pillow_jxl = pytest.importorskip("pillow_jxl")
    assert pillow_jxl
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(buffer, "JXL", xmp=packet("<dc:title>Dog</dc:title>"))
    name, image = open_picture(buffer.getvalue(), max_pixels=10_000)
    assert (name, metadata_of(image).title) == ("JXL", "Dog")


@pytest.mark.parametrize("damage", [b"<", b"\xff" * 999, packet(listed("dc:subject", "dog"))[:-40]])
def test_damage_costs_fields_never_the_photo(tmp_path, damage):
    found = described(
        tmp_path / "a.jpg", jpeg(b"\x1c\x02\x05\xff\xff", exif=exif(photo=[ORIGINAL]), xmp=damage), sidecar=damage
    )
    assert found.taken_source == "original"


@needs_photos
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("date-priority-test.jpg", {"taken_at": datetime(2023, 2, 2, 2), "taken_source": "original"}),
        ("datetimeoriginal-gps.jpg", {"taken_at": datetime(2025, 12, 1, 11, 30), "longitude": -108.0}),
        ("gps-datetime.jpg", {"taken_at": datetime(2023, 11, 15, 12, 30), "taken_source": "gps",
                              "taken_offset_min": 0}),
        ("thompson-springs.jpg", {"taken_at": datetime(2022, 1, 10, 15, 15, 44), "taken_source": "iptc",
                                  "taken_offset_min": -360,  # and not the -240 of IPTC
                                  "city": "Thompson Springs", "region": "Utah", "country": "United States",
                                  "lens": "Canon EF 24-105mm f/4L IS II USM"}),
        ("mongolels.jpg", {"taken_at": datetime(2009, 8, 29, 13, 18, 8, 170_000), "title": "Mongol Els", "rating": 3,
                           "iso": 200, "exposure_s": 0.004, "f_number": 11.0, "focal_mm": 40.0}),
        ("picasa.jpg", {"description": "Image-Description",
                        "keywords": (Keyword("Frost", "iptc"), Keyword("Yard", "iptc"))}),
        ("time-created.jpg", {"taken_source": "file", "camera_model": "EOS R5"}),
        ("empty_gps.jpg", {"latitude": None, "iso": 234, "f_number": 1.8}),
    ],
)  # fmt: skip
def test_real_photos(name, expected):
    path = PHOTOS / name
    found, _ = complete(load(path, min_side=16).decoded.metadata, path, sidecar="", mtime_ns=JULY_2021)
    assert {field: getattr(found, field) for field in expected} == expected


@needs_photos
@pytest.mark.parametrize("name", ["portrait.jpg", "portrait-orientation-6.jpg"])
def test_real_hierarchies(name):
    words = [keyword.text for keyword in load(PHOTOS / name, min_side=16).decoded.metadata.keywords]
    assert words == ["Marie Curie", "Pierre Curie", "People|Marie Curie", "People|Pierre Curie"]
