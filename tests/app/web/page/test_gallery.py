"""The gallery and the large view as HTML: what they say, and that no file name becomes markup."""

import os
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.search.language.filter_fields import make_filter
from app.search.query import Query
from app.search.search_service import Hit, SearchResult
from app.web.page import gallery, viewer
from app.web.page.browsing import Shown
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import PhotoRecord

HOSTILE = '"><script>alert(1)</script>{{x}}${y}`.jpg'


def photo(**known):
    values = dict.fromkeys(PhotoRecord._fields)
    values |= {"id": 7, "root_id": 1, "path": Path("/photos/a.jpg"), "size": 3_400_000, "content_hash": "ab" * 16}
    values |= {"keywords": (), "companions": (), "state": "ok", "width": 4000, "height": 3000, "format": "JPEG"}
    return PhotoRecord(**(values | known))


def shown(hits=(), filter=None, total=1234, took_ms=12.3, **rest):
    result = SearchResult("dogs", "builtin", total, took_ms, list(hits), False)
    return Shown(Query(text="dogs", filter=filter or make_filter()), None, None, result)


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def test_a_tile_shows_the_thumbnail_its_name_and_the_score():
    page = Elements(gallery.tiles([Hit(photo(), 0.2749)]))
    assert page.all("img")[0]["alt"] == "a.jpg"
    assert page.all("img")[0]["src"].startswith("api/v1/photos/7/thumbnail?v=abab")
    assert page.all("button")[0]["data-id"] == "7"
    assert "0.27" in page.text


def test_the_line_above_says_that_copies_count_where_there_are_some():
    hits = [Hit(photo(), 0.3), Hit(photo(), 0.3)._replace(copies=(photo(id=8),))]
    assert "copies counted" in gallery.summary(shown(hits))
    assert "copies" not in gallery.summary(shown(hits[:1]))


def test_a_tile_of_known_relevance_shows_that():
    page = Elements(gallery.tiles([Hit(photo(), 0.2749, relevance=0.8712)]))
    assert "87%" in page.text
    assert "0.27" in page.all("span")[0]["title"]


@pytest.mark.parametrize(
    ("found_by", "shown"), [(("words",), "words"), (("words", "picture"), "words · 12%"), (("picture",), "12%")]
)
def test_a_tile_says_that_words_found_it(found_by, shown):
    page = Elements(gallery.tiles([Hit(photo(), 0.2749, relevance=0.12, found_by=found_by)]))
    assert page.text == shown
    assert ("It carries the words" in page.all("span")[0]["title"]) == ("words" in found_by)


def test_only_what_was_looked_for_can_be_marked():
    marks = [attrs for attrs in Elements(gallery.tiles([Hit(photo(), 0.5)])).all("button") if "data-mark" in attrs]
    assert [(one["data-mark"], one["data-of"], one["aria-pressed"]) for one in marks] == [
        ("right", "7", "false"),
        ("wrong", "7", "false"),
    ]
    assert "data-mark" not in gallery.tiles([Hit(photo(), None)])


def test_copies_stand_behind_a_count_that_opens():
    hit = Hit(
        photo(),
        0.5,
        copies=(photo(id=8, path=Path("/b/<b>.jpg")), photo(id=9, missing_since=datetime(2024, 2, 3, tzinfo=UTC))),
    )
    page = Elements(gallery.tiles([hit]))
    assert len(page.all("template")) == 1
    assert [one["data-id"] for one in page.all("button") if "data-id" in one] == ["7", "8", "9"]
    (opens,) = [one for one in page.all("button") if "data-copies" in one]
    assert (opens["aria-label"], opens["aria-expanded"]) == ("Show 2 more copies", "false")
    assert "+2" in page.text
    assert not page.all("b")
    assert not Elements(gallery.tiles([Hit(photo(), 0.5)])).all("template")


@pytest.mark.parametrize(("count", "said"), [(1, "1 match among 662 photos"), (1200, "1,200 matches among 662 photos")])
def test_the_summary_speaks_of_matches(count, said):
    result = SearchResult("dogs", "builtin", 662, 12.3, [Hit(photo(), 0.3, relevance=0.9)], False, None, count)
    assert said in gallery.summary(Shown(Query(text="dogs"), None, None, result))


def test_where_nothing_matches_the_nearest_can_be_asked_for():
    hint = "nothing here looks like that: the nearest photo has a relevance of 0.12 <b>."
    result = SearchResult("asdf", "builtin", 662, 12.3, [], False, hint, 0)
    page = Elements(gallery.nothing_found(Shown(Query(text="asdf"), None, None, result), 5))
    assert "No matches" in page.text
    assert "Nothing here looks like that" in page.text
    assert page.all("button")[0]["data-least"] == "nearest"
    assert not page.all("b")


@pytest.mark.parametrize("render", [lambda p: gallery.tiles([Hit(p, 0.5)]), viewer.viewer])
def test_no_name_becomes_markup(render):
    page = Elements(render(photo(path=Path("/photos") / HOSTILE.replace("/", ":"), camera_model="<b>x", lens=HOSTILE)))
    assert not page.all("script")
    assert not page.all("b")
    assert page.all("img")[0]["alt"].startswith('"><script>')


def test_the_raw_beside_a_photo_is_shown():
    assert "RAW" not in Elements(viewer.viewer(photo())).text
    assert "IMG_<1>.CR2" in Elements(viewer.viewer(photo(companions=(Path("/photos/IMG_<1>.CR2"),)))).text


def test_a_photo_that_cannot_be_reached_is_marked_and_offers_only_what_is_there():
    away = photo(missing_since=datetime(2024, 2, 3, tzinfo=UTC))
    assert "not reachable" in Elements(gallery.tiles([Hit(away, 0.5)])).text
    assert "not reachable" not in Elements(gallery.tiles([Hit(photo(), 0.5)])).text
    page = Elements(viewer.viewer(away))
    assert "/thumbnail?" in page.all("img")[0]["src"]
    assert not page.all("a")  # no original to open
    assert "/original?" in Elements(viewer.viewer(photo())).all("a")[0]["href"]


def test_the_other_places_of_a_picture_are_listed_and_can_be_opened():
    copies = [photo(id=8, path=Path("/photos/<b>.jpg")), *(photo(id=n, path=Path(f"/{n}.jpg")) for n in range(9, 40))]
    page = Elements(viewer.viewer(photo(), copies))
    assert "/photos/<b>.jpg" in page.text
    assert next(button["data-open"] for button in page.all("button") if "data-open" in button) == "8"
    assert "and 12 more" in page.text
    assert "Copies" not in Elements(viewer.viewer(photo())).text


def test_a_name_that_is_no_text_is_shown_all_the_same():
    page = viewer.viewer(photo(path=Path(os.fsdecode(b"/photos/\xff.jpg"))))
    assert "\ufffd.jpg" in page.encode("utf-8").decode()


def test_the_summary_says_how_many_how_long_and_by_which_model():
    text = Elements(gallery.summary(shown())).text
    assert text == "Searched 1,234 photos in 12 ms · model builtin"
    assert "1 photo in 1.2 s" in Elements(gallery.summary(shown(total=1, took_ms=1234))).text
    assert Elements(gallery.summary(shown(total=0, hits=[]))).text == "No photo is left to search · model builtin"


def test_no_result_says_whether_the_filters_are_why():
    assert "filters" in gallery.nothing_found(shown(filter=make_filter(after="2030")), 5)
    assert "filters" not in gallery.nothing_found(shown(), 5)
    text = gallery.nothing_found(shown(filter=PhotoFilter(camera="canon")), 5)
    assert not any(other in text for other in ("date", "folder", "place")), "what was not asked for"


def test_an_empty_library_names_the_command():
    text = Elements(gallery.empty_library(Path("/my data/lib"))).text
    assert "picsift index ~/Pictures --library '/my data/lib'" in text
    told = [gallery.ready(*counts) for counts in ((1, 1), (2_000, 2_000), (1, 3), (0, 3))]
    assert told[:2] == ["1 photo is ready to be searched", "2,000 photos are ready to be searched"]
    assert told[2:] == ["1 of 3 photos is ready to be searched", "0 of 3 photos are ready to be searched"]
    assert told[2] in gallery.opening(shown([Hit(photo(), None)], total=3), told[2])


@pytest.mark.parametrize(("failed", "said"), [(1, "1 file was found, and could not"), (1200, "1,200 files were")])
def test_a_library_of_files_that_failed_is_not_called_empty(failed, said):
    text = Elements(gallery.empty_library(Path("/my data/lib"), failed)).text
    assert said in text
    assert "picsift status --library '/my data/lib'" in text
    assert "empty" not in text


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"taken_at": datetime(2021, 7, 4, 10, 1)}, ["4 July 2021, 10:01", "time zone not recorded"]),
        ({"taken_at": datetime(2021, 7, 4, 10, 1), "taken_offset_min": 120}, ["UTC+02:00"]),
        ({"taken_at": datetime(1993, 8, 1), "taken_precision": "month"}, ["TakenAugust 1993"]),
        ({"taken_at": datetime(1993, 1, 1), "taken_precision": "year"}, ["Taken1993"]),
        ({"taken_at": datetime(2021, 7, 4, 10, 1), "taken_offset_min": -210}, ["UTC−03:30"]),
        ({"taken_at": datetime(2021, 7, 4), "taken_source": "modified"}, ["when it was last edited"]),
        ({"latitude": -33.85681, "longitude": 151.21514}, ["33.85681° S, 151.21514° E"]),
        ({"latitude": 1.0, "longitude": -2.0, "altitude": 35.2}, ["1.00000° N, 2.00000° W", "35 m"]),
        ({"camera_make": "Canon", "camera_model": "Canon EOS R6", "lens": "RF 35"}, ["CameraCanon EOS R6", "RF 35"]),
        ({"taken_at": datetime(2021, 7, 4), "taken_source": "file"}, ["when the file was last written"]),
        ({"taken_at": datetime(2021, 7, 4), "taken_source": "gps", "taken_offset_min": 0}, ["UTC+00:00", "its GPS"]),
        (
            {"city": "Lisbon", "country": "Portugal", "latitude": 1.0, "longitude": 2.0},
            ["PlaceLisbon, Portugal1.00000"],
        ),
        ({"city": "Lisbon"}, ["PlaceLisbon"]),
        ({"exposure_s": 0.004, "f_number": 2.8, "iso": 400, "focal_mm": 50.0}, ["1/250 s · f/2.8 · ISO 400 · 50 mm"]),
        ({"exposure_s": 2.5, "focal_mm": 4.2, "focal_35mm_mm": 28.0}, ["2.5 s · 4.2 mm (28 mm on 35 mm film)"]),
        ({"rating": 3}, ["Rating★★★☆☆"]),
        ({"rating": -1}, ["Ratingrejected"]),
        ({"title": "<b>Dog", "description": "On a beach"}, ["Title<b>Dog", "DescriptionOn a beach"]),
        ({"keywords": ("red", "<i>|x")}, ["Keywordsred, <i>|x"]),
        ({"camera_make": "NIKON", "camera_model": "Z 6"}, ["NIKON Z 6"]),
        ({}, ["4,000 × 3,000 (12.0 MP) · 3.4 MB · JPEG", "/photos/a.jpg"]),
        ({"width": None, "height": None, "size": 900, "format": None}, ["900 bytes"]),
        ({"width": None, "height": None, "size": 1, "format": None}, ["1 byte"]),
        ({"missing_since": datetime(2024, 2, 3, tzinfo=UTC)}, ["not been reachable since 2024-02-03"]),
    ],
)
def test_the_facts_of_a_photo(known, said):
    text = Elements(viewer.viewer(photo(**known))).text
    for part in said:
        assert part in text


def test_what_a_file_does_not_say_is_said_to_be_absent():
    text = Elements(viewer.viewer(photo())).text
    assert "TakenNot recorded" in text
    assert "PlaceNot recorded" in text
    for absent in ("Camera", "Tags", "Title", "Description", "Rating", "Keywords", "Exposure"):
        assert absent not in text
