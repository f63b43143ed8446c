"""Which source has the last word."""

from datetime import datetime
from itertools import pairwise

from indexer.metadata.dates import SOURCES
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata, inside, merged, overlay

M = PhotoMetadata
DAY = datetime(2021, 7, 4)


def dated(source, day=DAY, offset=None):
    return M(taken_at=day, taken_source=source, taken_offset_min=offset)


def test_a_later_layer_has_the_last_word_in_what_it_knows():
    found = overlay(M(title="old", rating=3, lens="50"), M(title="new", description="d"), M(rating=0))
    assert found == M(title="new", rating=0, lens="50", description="d")


def test_the_date_is_that_of_the_best_field_whichever_layer_has_it():
    for better, worse in pairwise(SOURCES):
        one, other = dated(better), dated(worse, datetime(2001, 1, 1), 60)
        assert overlay(one, other) == overlay(other, one) == one
    assert overlay(dated("file"), M()) == dated("file")
    assert overlay(M(), dated("file", offset=60)) == dated("file", offset=60)


def test_a_position_and_a_camera_are_not_mixed_from_two_sources():
    base = M(latitude=1.0, longitude=2.0, altitude=3.0, camera_make="A", camera_model="B")
    found = overlay(base, M(latitude=5.0, longitude=6.0, camera_model="C"))
    assert found == M(latitude=5.0, longitude=6.0, camera_model="C")


def test_keywords_are_those_of_all_the_last_layers_first():
    base, top = M(keywords=(Keyword("red", "iptc"), Keyword("dog", "iptc"))), M(keywords=(Keyword("Dog", "sidecar"),))
    assert overlay(base, top).keywords == (Keyword("Dog", "sidecar"), Keyword("red", "iptc"))


def test_keywords_are_the_same_in_any_case_mark_and_accent_form():
    words = [Keyword(text, "xmp") for text in ("People|Zoë", "people/ZOE\u0308", "People", "Zoë")]
    assert [word.text for word in merged(words)] == ["People|Zoë", "People", "Zoë"]


def test_the_orientation_belongs_to_the_pixels():
    assert overlay(M(orientation=6), M(orientation=3)).orientation == 6
    assert inside(M(orientation=6), M(), M()).orientation == 6


def test_of_the_camera_exif_knows_best_and_of_the_words_xmp_then_iptc():
    exif = M(
        lens="exif", iso=100, title="exif", description="exif", rating=1, camera_make="E", latitude=1.0, longitude=1.0
    )
    iptc = M(title="iptc", description="iptc", city="iptc")
    xmp = M(lens="xmp", iso=200, f_number=2.0, title="xmp", rating=5, camera_model="X", longitude=2.0)
    found = inside(exif, iptc, xmp)
    assert (found.lens, found.iso, found.f_number) == ("exif", 100, 2.0)
    assert (found.camera_make, found.camera_model, found.latitude) == ("E", None, 1.0)
    assert found.longitude == 1.0
    assert (found.title, found.description, found.rating, found.city) == ("xmp", "iptc", 5, "iptc")
