"""Metadata: what is sound is read, what is not becomes None, and nothing raises."""

import io
import math
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from indexer.metadata.dates import parse_date, parse_offset
from indexer.metadata.exif import exif_of as metadata_of
from indexer.metadata.exif import read_metadata
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.pictures.formats import open_picture
from tests.fuzzing import examples

PHOTOS = Path(__file__).resolve().parents[3].parent / "shared" / "photos"
needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"the real photos are not at {PHOTOS}")

NORTH = {1: "N", 2: (48.0, 51.0, 29.6), 3: "E", 4: (2.0, 17.0, 40.2)}


def written(main=(), photo=(), gps=()):
    """EXIF that went through a file, as a decoder hands it over."""
    exif = Image.Exif()
    exif.update(dict(main))
    exif.get_ifd(0x8769).update(dict(photo))
    exif.get_ifd(0x8825).update(dict(gps))
    read = Image.Exif()
    read.load(exif.tobytes())
    return read


def test_nothing_gives_nothing():
    assert read_metadata(Image.Exif()) == PhotoMetadata()


def test_the_date_has_its_fraction_and_its_offset():
    found = read_metadata(written(photo={36867: "2021:06:30 12:34:56", 37521: "078", 36881: "+05:30"}))
    assert found.taken_at == datetime(2021, 6, 30, 12, 34, 56, 78_000)
    assert (found.taken_offset_min, found.taken_source) == (330, "original")


def test_each_date_takes_its_own_fraction_and_offset():
    photo = {36868: "2020:01:02 03:04:05", 37522: "5", 36882: "-08:00", 37521: "9", 36881: "+01:00"}
    found = read_metadata(written(photo=photo))
    assert (found.taken_at, found.taken_offset_min) == (datetime(2020, 1, 2, 3, 4, 5, 500_000), -480)
    assert found.taken_source == "digitized"
    found = read_metadata(written({306: "2019:01:02 03:04:05"}, {37520: "25", 36880: "Z"}))
    assert (found.taken_at, found.taken_offset_min) == (datetime(2019, 1, 2, 3, 4, 5, 250_000), 0)
    assert found.taken_source == "modified"


@pytest.mark.parametrize(
    "unsound",
    [
        "0000:00:00 00:00:00", "    :  :     :  :  ", "", "\0", "0001:01:01 00:00:00", "9999:01:01 00:00:00",
        "2101:01:01 00:00:00", "yesterday", "2021 Acme", "202", "20210",
    ],
)  # fmt: skip
def test_an_unsound_date_gives_way_to_the_next_field(unsound):
    found = read_metadata(written({306: "2019:01:02 03:04:05"}, {36867: unsound, 36868: "2020:01:02 03:04:05"}))
    assert (found.taken_at, found.taken_source) == (datetime(2020, 1, 2, 3, 4, 5), "digitized")
    found = read_metadata(written({306: "2019:01:02 03:04:05"}, {36867: unsound, 36868: unsound}))
    assert (found.taken_at, found.taken_source) == (datetime(2019, 1, 2, 3, 4, 5), "modified")
    found = read_metadata(written({306: unsound}, {36867: unsound, 36868: unsound, 36881: "+01:00"}))
    assert (found.taken_at, found.taken_offset_min, found.taken_source) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "moment", "offset"),
    [
        ("2021:06:30 12:34:56", datetime(2021, 6, 30, 12, 34, 56), None),
        (" 2021-06-30T12:34:56.5+02:00 ", datetime(2021, 6, 30, 12, 34, 56, 500_000), 120),
        ("2021:06:30 12:34:56Z", datetime(2021, 6, 30, 12, 34, 56), 0),
        ("2021:06:30 12:34", datetime(2021, 6, 30, 12, 34), None),
        ("2021:06:30", datetime(2021, 6, 30), None),
        ("2021:06:30 12:34:56 PM", datetime(2021, 6, 30, 12, 34, 56), None),
        ("2021:06:30 12:34:56 AM", datetime(2021, 6, 30, 0, 34, 56), None),
        ("2021-06-30 3:04:05 pm +02:00", datetime(2021, 6, 30, 15, 4, 5), 120),
        ("2021:06:30 15:04:05 PM", datetime(2021, 6, 30, 15, 4, 5), None),
        ("2021-06-30T12:34:56+02", datetime(2021, 6, 30, 12, 34, 56), 120),
        ("1839:08:19 00:00:00", datetime(1839, 8, 19), None),
        ("٢٠٢١:06:30 12:34:56", None, None),
    ],
)
def test_dates_as_cameras_and_phones_write_them(text, moment, offset):
    assert parse_date(text) == (moment, offset)


AUGUST = datetime(1993, 8, 1)


@pytest.mark.parametrize(
    ("text", "moment", "precision"),
    [
        ("1993:08:  :     :  :  ", AUGUST, "month"),
        ("1993:08:     :  :  ", AUGUST, "month"),
        ("1993:08:00 00:00:00", AUGUST, "month"),
        ("1993-08", AUGUST, "month"),
        ("1993:8", AUGUST, "month"),
        ("1993:08:32 10:11:12", AUGUST, "month"),
        ("1993:  :     :  :  ", datetime(1993, 1, 1), "year"),
        ("1993:00:00 00:00:00", datetime(1993, 1, 1), "year"),
        ("1993:13:01 00:00:00", datetime(1993, 1, 1), "year"),
        ("1993:xx:xx xx:xx:xx", datetime(1993, 1, 1), "year"),
        ("1993-??-??", datetime(1993, 1, 1), "year"),
        ("1993:--:--", datetime(1993, 1, 1), "year"),
        ("1993:   :    ", datetime(1993, 1, 1), "year"),
        ("1993:xx:15 10:11:12", datetime(1993, 1, 1), "year"),
        ("1993:08:xx xx:xx:xx", AUGUST, "month"),
        ("1993-123", None, None),
        ("1993-08th", None, None),
        ("1993:beach", None, None),
        ("1993", datetime(1993, 1, 1), "year"),
        ("1970", datetime(1970, 1, 1), "year"),
        ("1993:08:15   :  :  ", datetime(1993, 8, 15), None),
        ("1993:08:15 25:00:00", datetime(1993, 8, 15), None),
        ("1993:08:15 10:11:61", datetime(1993, 8, 15, 10, 11), None),
        ("1993:08:15 10:11:  ", datetime(1993, 8, 15, 10, 11), None),
        ("2002: 5: 3  9:08:07", datetime(2002, 5, 3, 9, 8, 7), None),
    ],
)
def test_what_is_known_of_a_date_stands_without_the_rest(text, moment, precision):
    found = read_metadata(written(photo={36867: text}))
    assert (found.taken_at, found.taken_precision) == (moment, precision)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+02:00", 120), ("-0330", -210), ("Z", 0), ("+14:00", 840), ("-12:00", -720), ("+14:01", None), ("-13:00", None),
     ("+01:60", None), ("   :  ", None), ("", None), ("+2", None), ("-03", -180), ("+020", None)],
)  # fmt: skip
def test_offsets(text, minutes):
    assert parse_offset(text) == minutes


def test_the_position_has_its_hemisphere_and_height():
    found = read_metadata(written(gps=NORTH | {5: b"\0", 6: 35.5}))
    assert (found.latitude, found.longitude) == (pytest.approx(48.858222), pytest.approx(2.2945))
    assert found.altitude == pytest.approx(35.5)
    south = {1: "S", 2: (33.0, 30.0, 0.0), 3: "W", 4: (70.0, 15.0, 0.0), 5: b"\1", 6: 12.0}
    found = read_metadata(written(gps=south))
    assert (found.latitude, found.longitude, found.altitude) == (-33.5, -70.25, -12.0)


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0), 6: 0.0},
        {1: "S", 2: (0.0, 0.0, 0.0), 3: "W", 4: (0.0, 0.0, 0.0)},
        NORTH | {1: ""}, NORTH | {1: "X"}, NORTH | {3: "N"}, NORTH | {2: (91.0, 0.0, 0.0)},
        NORTH | {4: (180.0, 1.0, 0.0)}, NORTH | {2: (89.0, 60.0, 1.0)}, NORTH | {2: (48.0, 61.0, 0.0)},
        NORTH | {2: (48.0, 0.0, 60.5)},
        {1: "N", 2: (48.0, 0.0, 0.0)}, {3: "E", 4: (2.0, 0.0, 0.0)},
        NORTH | {2: (IFDRational(0, 0), IFDRational(0, 0), IFDRational(0, 0))},
        NORTH | {2: (IFDRational(48, 1), IFDRational(5, 0), IFDRational(0, 1))},
    ],
)  # fmt: skip
def test_an_unsound_position_is_none(gps):
    found = read_metadata(written(gps=gps))
    assert (found.latitude, found.longitude, found.altitude) == (None, None, None)


def test_an_unsound_height_costs_only_the_height():
    for height in (IFDRational(1, 0), IFDRational(0, 0), 4_000_000.0):
        found = read_metadata(written(gps=NORTH | {6: height}))
        assert found.latitude is not None
        assert found.altitude is None


def test_sixty_seconds_are_a_minute_as_exiftool_writes_it():
    found = read_metadata(written(gps={1: "S", 2: (54.0, 47.0, 60.0), 3: "W", 4: (68.0, 59.0, 60.0)}))
    assert (found.latitude, found.longitude) == (pytest.approx(-54.8), -69)


def test_the_equator_and_greenwich_are_places():
    assert read_metadata(written(gps=NORTH | {2: (0.0, 0.0, 0.0)})).latitude == 0
    assert read_metadata(written(gps=NORTH | {4: (0.0, 0.0, 0.0)})).longitude == 0


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS 7D", ("Canon", "EOS 7D")),
        ("NIKON CORPORATION", "NIKON D90", ("NIKON CORPORATION", "D90")),
        ("SONY\0\0garbage", "  DSLR-A550   ", ("SONY", "DSLR-A550")),
        ("Apple", "iPhone 7", ("Apple", "iPhone 7")),
        ("Canon", "Canon", ("Canon", "Canon")),
        ("HP", "HPX-100", ("HP", "HPX-100")),
        ("", "Canon EOS 7D", (None, "Canon EOS 7D")),
        ("Acme", "\0\0\0", ("Acme", None)),
        ("Ac\tme\nInc", "---", ("Ac me Inc", None)),
        ("LEICA", "M9" * 500, ("LEICA", ("M9" * 500)[:200])),
    ],
)
def test_the_camera_reads_well(make, model, expected):
    found = read_metadata(written({271: make, 272: model}))
    assert (found.camera_make, found.camera_model) == expected


def test_the_lens_and_text_in_utf8():
    exif = written(photo={42036: "EF 50mm f/1.8\0\0"})
    exif[271] = "Müller".encode().decode("latin-1")  # as Pillow reads the bytes of a careless camera
    exif[272] = "Größe".encode("latin-1")
    found = read_metadata(exif)
    assert (found.camera_make, found.camera_model, found.lens) == ("Müller", "Größe", "EF 50mm f/1.8")


@pytest.mark.parametrize(("value", "expected"), [(1, 1), (8, 8), (0, 1), (9, 1), ("6", 1), ((6, 6), 1)])
def test_the_orientation_is_one_to_eight(value, expected):
    exif = Image.Exif()
    exif[274] = value
    assert read_metadata(exif).orientation == expected


def jpeg(exif):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def opened(source):
    return open_picture(source, max_pixels=1000)[1]


def test_damaged_exif_costs_the_fields_behind_the_damage_only():
    whole = written({271: "Acme", 272: "Camera of a long name"}, {36867: "2021:06:30 12:34:56"}).tobytes()
    cut = jpeg(whole[:-30])
    found = metadata_of(opened(cut))
    assert (found.camera_make, found.camera_model) == ("Acme", "Camera of a long name")
    assert found.taken_at is None


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"Exif\0\0II*\0\x08\0\0\0"])
)
@settings(max_examples=examples(500))
def test_random_exif_never_raises(tail, head):
    assert isinstance(metadata_of(opened(jpeg(head + tail))), PhotoMetadata)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=10))
@settings(max_examples=examples(250))
def test_flipped_exif_never_raises_and_stays_sound(flips):
    sound = written(
        {271: "Acme", 272: "Acme One", 306: "2019:01:02 03:04:05", 274: 6}, {36867: "2021:06:30 12:34:56"}, NORTH
    )
    source = bytearray(sound.tobytes())
    for at, value in flips:
        source[at % len(source)] = value
    found = metadata_of(opened(jpeg(bytes(source))))
    assert 1 <= found.orientation <= 8
    assert found.latitude is None or (math.isfinite(found.latitude) and abs(found.latitude) <= 90)
    assert found.taken_at is None or 1826 <= found.taken_at.year <= 2100


VALUES = st.one_of(
    st.none(), st.text(max_size=30), st.binary(max_size=30), st.integers(), st.floats(), st.fractions().map(Fraction),
    st.builds(IFDRational, st.integers(-9, 9), st.integers(-9, 9)), st.lists(st.floats(), max_size=4).map(tuple),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([271, 272, 274, 306]), VALUES),
       st.dictionaries(st.sampled_from([36867, 36868, 37520, 37521, 36881, 42036]), VALUES),
       st.dictionaries(st.integers(1, 6), VALUES))  # fmt: skip
@settings(max_examples=examples(250))
def test_values_of_any_type_never_raise(main, photo, gps):
    exif = Image.Exif()
    exif.update(main)
    exif._ifds[0x8769], exif._ifds[0x8825] = photo, gps
    found = read_metadata(exif)
    assert isinstance(found.orientation, int)
    assert all(text is None or text.isprintable() for text in (found.camera_make, found.camera_model, found.lens))


@needs_photos
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("metadata/date-priority-test.jpg", {"taken_at": datetime(2023, 2, 2, 2, 0), "taken_source": "original"}),
        ("metadata/empty_gps.jpg", {"latitude": None, "longitude": None, "camera_make": "motorola"}),
        ("metadata/thompson-springs.jpg", {"latitude": 39.115, "altitude": 1483.9}),
        ("metadata/portrait-orientation-6.jpg", {"orientation": 6}),
        ("formats/IMG_2682.heic", {"camera_model": "iPhone 7", "latitude": 41.2203}),
        ("formats/denali.webp", {"camera_model": "EOS 7D", "lens": "EF28-80mm f/3.5-5.6 USM"}),
        ("nature/tanners_ridge.jpg", {"camera_make": "NIKON CORPORATION", "camera_model": "D750"}),
    ],
)
def test_real_photos(name, expected):
    from indexer.pictures.images import load

    found = load(PHOTOS / name, min_side=64).decoded.metadata
    assert {field: getattr(found, field) for field in expected} == expected
