"""XMP: properties in every form they are written in, damage, and what is hostile."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.metadata.photo_metadata import Keyword, PhotoMetadata
from indexer.metadata.sidecar import read_sidecar
from indexer.metadata.xmp import MAX_BYTES, read_xmp
from tests.fuzzing import examples
from tests.indexer.written import listed, packet

FILES = Path(__file__).resolve().parents[3].parent / "shared" / "photos" / "metadata"
needs_files = pytest.mark.skipif(not FILES.is_dir(), reason=f"the real files are not at {FILES}")


def words(metadata):
    return [keyword.text for keyword in metadata.keywords]


@pytest.mark.parametrize("kind", ["Bag", "Seq", "Alt"])
def test_a_list_of_any_kind_holds_keywords(kind):
    found = read_xmp(packet(listed("dc:subject", "red", " big  dog ", "", "Red", kind=kind)))
    assert found.keywords == (Keyword("red", "xmp"), Keyword("big dog", "xmp"))


def test_a_single_text_and_an_attribute_are_lists_of_one():
    assert words(read_xmp(packet("<dc:subject>red</dc:subject>"))) == ["red"]
    assert words(read_xmp(packet(attributes='dc:subject="red"'))) == ["red"]


def test_of_attributes_without_end_the_first_are_read():
    many = " ".join(f'dc:a{number}="x"' for number in range(3_000))
    found = read_xmp(packet(listed("dc:subject", "red"), attributes=f'xmp:Rating="3" {many} dc:title="late"'))
    assert (found.rating, found.title, words(found)) == (3, None, ["red"])


def test_hierarchies_keep_their_marks_and_are_not_doubled():
    found = read_xmp(
        packet(
            listed("dc:subject", "Marie")
            + listed("lr:hierarchicalSubject", "People|Marie", "Places|Paris")
            + listed("digiKam:TagsList", "People/Marie", "Trip/2021")
        )
    )
    assert words(found) == ["Marie", "People|Marie", "Places|Paris", "Trip/2021"]


def test_a_structure_inside_a_property_does_not_speak_of_the_photo():
    inner = '<rdf:Description dc:title="a face" xmp:Rating="1"/>'
    assert read_xmp(packet(f"<lr:regions>{inner}</lr:regions>")) == PhotoMetadata()


def test_the_default_language_is_taken():
    title = '<rdf:li xml:lang="de">Hund</rdf:li><rdf:li xml:lang="x-default">Dog</rdf:li>'
    found = read_xmp(packet(f"<dc:title><rdf:Alt>{title}</rdf:Alt></dc:title>"))
    assert found.title == "Dog"


@pytest.mark.parametrize(
    ("attributes", "rating"),
    [
        ('xmp:Rating="3"', 3), ('xmp:Rating="-1"', -1), ('xmp:Rating="0"', 0), ('xmp:Rating="5.0"', 5),
        ('xmp:Rating="6"', None), ('xmp:Rating="-2"', None), ('xmp:Rating="2.5"', None), ('xmp:Rating="many"', None),
        ('MicrosoftPhoto:Rating="75"', 4), ('MicrosoftPhoto:Rating="99" xmp:Rating="1"', 1), ("", None),
    ],
)  # fmt: skip
def test_ratings(attributes, rating):
    assert read_xmp(packet(attributes=attributes)).rating == rating


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('xmp:CreateDate="2020-01-01" exif:DateTimeOriginal="2021-07-04T10:11:12.5+02:00"',
         (datetime(2021, 7, 4, 10, 11, 12, 500_000), 120, "xmp")),
        ('xmp:CreateDate="2021-07-04T10:11:12" photoshop:DateCreated="1975"', (datetime(1975, 1, 1), None, "xmp")),
        ('photoshop:DateCreated="1975-08"', (datetime(1975, 8, 1), None, "xmp")),
        ('photoshop:DateCreated="1975-13"', (datetime(1975, 1, 1), None, "xmp")),
        ('exif:DateTimeOriginal="1970-01-01T00:00:00" xmp:CreateDate="2021-07-04T10:11"',
         (datetime(2021, 7, 4, 10, 11), None, "xmp")),
        ('exif:GPSTimeStamp="2021-07-04T10:11:12"', (datetime(2021, 7, 4, 10, 11, 12), 0, "gps")),
        ('exif:GPSTimeStamp="2021-07-04T10:11:12+02:00"', (datetime(2021, 7, 4, 8, 11, 12), 0, "gps")),
        ('exif:GPSTimeStamp="2021-07-04T10:11:12" xmp:CreateDate="2020"', (datetime(2020, 1, 1), None, "xmp")),
        ('exif:GPSTimeStamp="2001-01-01T00:00:00Z" xmp:CreateDate="2019-02-25T04:19:21+03:00"',
         (datetime(2019, 2, 25, 4, 19, 21), 180, "xmp")),
        ('exif:GPSTimeStamp="2001-01-01T00:00:00Z"', (None, None, None)),
        ('xmp:ModifyDate="2021-07-04" xmp:MetadataDate="2021-07-04"', (None, None, None)),
    ],
)  # fmt: skip
def test_dates(attributes, expected):
    found = read_xmp(packet(attributes=attributes))
    assert (found.taken_at, found.taken_offset_min, found.taken_source) == expected


def test_camera_exposure_and_position():
    found = read_xmp(
        packet(
            listed("exif:ISOSpeedRatings", "160", kind="Seq"),
            'tiff:Make="Canon" tiff:Model="Canon PowerShot" aux:Lens="EF 50" exif:ExposureTime="1/1250" '
            'exif:FNumber="28/10" exif:FocalLength="6000/1000" exif:FocalLengthIn35mmFilm="28" '
            'exif:GPSLatitude="40,14.5N" exif:GPSLongitude="76,17,15.0W" exif:GPSAltitude="100/2" '
            'exif:GPSAltitudeRef="1"',
        )
    )
    assert (found.camera_make, found.camera_model, found.lens) == ("Canon", "PowerShot", "EF 50")
    assert (found.exposure_s, found.f_number, found.iso) == (0.0008, 2.8, 160)
    assert (found.focal_mm, found.focal_35mm_mm) == (6, 28)
    assert (found.latitude, found.longitude) == (pytest.approx(40.241667), pytest.approx(-76.2875))
    assert found.altitude == -50


@pytest.mark.parametrize("degrees", ["91,0N", "40,14", "40,14E", "a,bN", "....,1N", "N", "0,0N"])
def test_an_unsound_position_is_none(degrees):
    found = read_xmp(packet(attributes=f'exif:GPSLatitude="{degrees}" exif:GPSLongitude="0,0E"'))
    assert (found.latitude, found.longitude) == (None, None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_any_encoding_is_read(encoding):
    text = packet("<dc:title>Größe 猫</dc:title>").decode()
    source = text.encode(encoding)
    if encoding in ("utf-16-le", "utf-16-be"):
        source = "\ufeff".encode(encoding) + source
    assert read_xmp(source + b"\0\0").title == "Größe 猫"


def test_what_stands_before_the_damage_is_kept():
    whole = packet("<dc:title>Dog</dc:title><dc:description>On a beach</dc:description>")
    cut = whole[: whole.index(b"</dc:description>")]
    found = read_xmp(cut)
    assert (found.title, found.description) == ("Dog", "On a beach")


def test_entities_are_neither_expanded_nor_fetched(tmp_path):
    (tmp_path / "secret").write_text("not yours")
    for declared in (
        f'<!ENTITY e SYSTEM "file://{tmp_path}/secret">',
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY e "&a;&a;&a;&a;">',
    ):
        source = f"<!DOCTYPE x [{declared}]>".encode() + packet("<dc:title>Dog &e;</dc:title>", 'xmp:Label="&e;"')
        assert read_xmp(source) == PhotoMetadata()
        assert read_xmp(b"\xff\xfe" + source.decode().encode("utf-16-le")) == PhotoMetadata()


def test_a_packet_above_the_bound_says_nothing_and_lists_and_texts_end_somewhere():
    assert read_xmp(packet("<dc:title>Dog</dc:title>") + b" " * MAX_BYTES) == PhotoMetadata()
    found = read_xmp(
        packet(listed("dc:subject", *map(str, range(5000))) + f"<dc:description>{'x' * 99_999}</dc:description>")
    )
    assert len(found.keywords) == 500
    assert len(found.description) == 5000


@pytest.mark.parametrize("source", [b"", b"\0", b"<", b"not xml", b"<a/>", b"\xff\xfe", b"<x>" * 100_000])
def test_what_is_no_packet_says_nothing(source):
    assert read_xmp(source) == PhotoMetadata()


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8))
@settings(max_examples=examples(150))
def test_a_flipped_packet_never_raises(flips):
    source = bytearray(packet(listed("dc:subject", "red"), 'xmp:Rating="3" photoshop:DateCreated="1975-08"'))
    for at, value in flips:
        source[at % len(source)] = value
    assert isinstance(read_xmp(bytes(source)), PhotoMetadata)


@needs_files
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2000.xmp", {"taken_at": datetime(2000, 9, 27, 14, 35, 33), "taken_offset_min": 120}),
        ("iso-value-array.xmp", {"taken_at": datetime(2009, 11, 28, 13, 42, 39), "iso": 160, "description": None,
                                 "camera_model": "PowerShot SX120 IS", "exposure_s": 0.0008}),
    ],
)  # fmt: skip
def test_real_sidecars(name, expected):
    found = read_sidecar(FILES / "photo.jpg", name)
    assert {field: getattr(found, field) for field in expected} == expected
    assert found.taken_source == "sidecar"
