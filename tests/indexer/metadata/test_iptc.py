"""IPTC: what is sound in a block is read, and damage costs the block at most."""

import io
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer.metadata.iptc import iptc_of
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata
from tests.fuzzing import examples
from tests.indexer.written import iptc, jpeg


def read(*fields):
    return iptc_of(Image.open(io.BytesIO(jpeg(iptc(*fields)))))


def test_words_place_and_keywords():
    found = read(
        (5, b"Dog"), (120, "On a beach\nat Größe".encode()), (25, b"red"), (25, b"big dog"), (25, b"RED"),
        (90, b"Lisbon"), (95, b"Lisboa"), (101, b"Portugal"),
    )  # fmt: skip
    assert (found.title, found.description) == ("Dog", "On a beach at Größe")
    assert found.keywords == (Keyword("red", "iptc"), Keyword("big dog", "iptc"))
    assert (found.city, found.region, found.country) == ("Lisbon", "Lisboa", "Portugal")


def test_one_keyword_and_latin_1():
    assert read((25, "Größe".encode("latin-1"))).keywords == (Keyword("Größe", "iptc"),)


@pytest.mark.parametrize(
    ("day", "time", "expected"),
    [
        (b"20210704", b"101112+0230", (datetime(2021, 7, 4, 10, 11, 12), 150, "iptc")),
        (b"20210704", b"101112", (datetime(2021, 7, 4, 10, 11, 12), None, "iptc")),
        (b"20210704", None, (datetime(2021, 7, 4), None, "iptc")),
        (b"20210704", b"noon", (datetime(2021, 7, 4), None, "iptc")),
        (None, b"101112+0000", (None, None, None)),
        (b"00000000", b"101112", (None, None, None)),
        (b"20210000", None, (datetime(2021, 1, 1), None, "iptc")),
        (b"20210800", b"101112", (datetime(2021, 8, 1), None, "iptc")),
        (b"19700101", None, (None, None, None)),
    ],
)
def test_the_day_and_the_time_make_the_date(day, time, expected):
    found = read(*[(number, value) for number, value in ((55, day), (60, time)) if value])
    assert (found.taken_at, found.taken_offset_min, found.taken_source) == expected


def test_a_photo_without_a_block_and_other_formats_say_nothing():
    assert iptc_of(Image.open(io.BytesIO(jpeg()))) == PhotoMetadata()
    assert iptc_of(Image.new("RGB", (8, 8))) == PhotoMetadata()


@given(st.binary(max_size=200))
@settings(max_examples=examples(300))
def test_a_damaged_block_never_raises(tail):
    source = jpeg(iptc((5, b"Dog")) + tail + b"\0")
    assert isinstance(iptc_of(Image.open(io.BytesIO(source))), PhotoMetadata)
