"""The HTTP API as its clients see it: answers, problem documents, and files that stay where they belong."""

import io
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.search.query import Query
from app.search.ranking import Hit
from app.web import pictures
from app.web.answers import SearchAnswer
from app.web.api import QuickSearch, build_api
from app.web.door.security import Gate
from app.web.search_fields import SearchFields
from indexer.catalog.records import CopiedPhoto, FoundFile
from indexer.errors import LibraryError
from tests.app.colours import NAMES, World
from tests.app.serving import photo_id, picture

PROBLEM = "application/problem+json"


@pytest.fixture
def client(services):
    with TestClient(Gate(build_api(services)), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def names(answer):
    return [hit["path"].rpartition("/")[2] for hit in answer.json()["hits"]]


def test_a_search_answers_as_the_contract_says(reader):
    answer = reader.get("/api/v1/search", params={"q": "yellow", "limit": 2})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"query", "model", "total", "matches", "has_more", "next", "took_ms", "hint", "hits"}
    assert (body["query"], body["model"], body["total"]) == ("yellow", "colours", 5)
    first = body["hits"][0]
    known = {"id", "path", "score", "relevance", "found_by", "taken_at", "width", "height", "companions", "reachable"}
    assert set(first) == known | {"duration_s", "moment_s", "frame", "copies"}
    assert (first["duration_s"], first["moment_s"], first["frame"]) == (None, None, 0)
    assert first["path"].endswith("/trip/yellow.jpg")
    assert (first["taken_at"], first["width"], first["height"]) == ("2021-07-04T10:11:12", 32, 24)
    assert first["relevance"] is None
    # So few photos say nothing of what looks like a query: whether the picture alone would do is not known.
    assert [hit["found_by"] for hit in body["hits"]] == [["words"], ["picture"]]


@pytest.mark.parametrize(
    "params",
    [
        {"q": "red after:2020"},
        {"q": "red", "after": "2020"},
        {"q": "red after:2020", "after": "2018"},
        {"q": "red", "folder": "trip", "after": "2020-06-30"},
        {"q": "red", "year": "2021"},
        {"q": "red", "text": ["trip", "yell*"]},
        {"text": "trip", "not": ["text:purple"]},
        {"on": "2021-07-04"},
        {"q": "red", "name": "yel*", "type": "jpeg", "orientation": "landscape", "has": ["date"], "is": ["photo"]},
        {"q": "red", "after": "2018", "not": ["year:2019", "type:png"]},
    ],
)
def test_filters_hold_among_the_words_and_beside_them(reader, params):
    answer = reader.get("/api/v1/search", params=params)
    assert (names(answer), answer.json()["total"]) == (["yellow.jpg"], 1)


def test_sort_orders_by_date(reader):
    answer = reader.get("/api/v1/search", params={"q": "purple", "sort": "date"})
    assert names(answer)[:2] == ["yellow.jpg", "purple.jpg"]


@pytest.mark.parametrize("path", ["search", "photos/1/similar"])
@pytest.mark.parametrize("field", ["kamera", "order", "tags", "not_", "is_"])
def test_a_parameter_that_is_none_is_refused(reader, path, field):
    answer = reader.get(f"/api/v1/{path}", params={"q": "red", field: "x"} if path == "search" else {field: "x"})
    assert answer.status_code == 422
    assert f"{field}: nothing here is called that" in answer.json()["detail"]


def test_an_upload_with_a_field_that_is_none_is_refused(reader):
    upload = {"file": ("photo.png", picture("green"), "image/png")}
    answer = reader.post("/api/v1/search", files=upload, data={"kamera": "x"})
    assert (answer.status_code, "kamera: nothing here" in answer.json()["detail"]) == (422, True)


def test_text_where_a_picture_has_to_be_is_told_in_words(reader):
    """As of curl -F file=photo.jpg, which lacks an @; it was told of Python's classes."""
    answer = reader.post("/api/v1/search", files={"file": (None, "photo.jpg")})
    told = "file: it is text, and has to be a file, such as of curl -F file=@photo.jpg"
    assert (answer.status_code, answer.json()["detail"]) == (422, told)


def test_no_request_names_a_file_of_the_servers(client, world):
    answer = client.get("/api/v1/search", params={"q": f"image:{world.photos / 'red.png'}"})
    assert (answer.status_code, "on this machine alone" in answer.json()["detail"]) == (400, True)
    answer = client.get("/api/v1/search", params={"not": "image:/etc/passwd"})
    assert answer.status_code == 400


def test_a_folder_that_is_none_is_told(reader):
    body = reader.get("/api/v1/search", params={"q": "red", "folder": "trips"}).json()
    assert (body["hits"], body["hint"]) == ([], "no folder is called 'trips'. Near to it are 'trip'.")


@pytest.mark.parametrize("field", ["after", "before", "folder", "place", "camera", "rating", "not", "tag"])
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_filter_is_none(client, field, empty):
    assert client.get("/api/v1/search", params={"q": "red", field: empty}).json()["total"] == 5
    upload = {"file": ("photo.png", picture("green"), "image/png")}
    assert client.post("/api/v1/search", files=upload, data={field: empty}).json()["total"] == 5


def test_offset_goes_on_where_the_first_page_ended(reader):
    whole = names(reader.get("/api/v1/search", params={"q": "blue"}))
    rest = names(reader.get("/api/v1/search", params={"q": "blue", "limit": 3, "offset": 2}))
    assert len(whole) == 5
    assert rest == whole[2:]


def following(client, answer):
    """The answers behind one, page by page; of so few photos there are not many."""
    for _ in range(12):
        if (cursor := answer.json()["next"]) is None:
            return
        answer = client.get("/api/v1/search", params={"cursor": cursor})
        assert answer.status_code == 200
        yield answer
    pytest.fail("the pages do not end")


@pytest.mark.parametrize("way", ["words", "filters", "picture", "similar"])
def test_a_cursor_goes_on_with_a_search_whatever_route_it_came_by(client, services, way):
    if way == "picture":
        upload = {"file": ("photo.png", picture("green"), "image/png")}
        first = client.post("/api/v1/search", files=upload, data={"limit": 2})
    elif way == "similar":
        first = client.get(f"/api/v1/photos/{photo_id(services, 'red.png')}/similar", params={"limit": 2})
    else:
        first = client.get(
            "/api/v1/search", params={"limit": 2, **({"q": "blue"} if way == "words" else {"not": "on:2001"})}
        )
    services.library.catalog.remove([first.json()["hits"][0]["id"]])
    pages = [first, *following(client, first)]
    found = [name for page in pages for name in names(page)]
    assert len(found) == len(set(found)) == (4 if way == "similar" else 5)
    assert [page.json()["has_more"] for page in pages] == [True] * (len(pages) - 1) + [False]


def test_a_cursor_may_be_asked_for_again_with_another_limit_and_by_both_ways(reader, standing):
    cursor = reader.get("/api/v1/search", params={"q": "blue", "limit": 1}).json()["next"]
    once, again = (reader.get("/api/v1/search", params={"cursor": cursor}) for _ in range(2))
    assert names(once) == names(again)
    assert once.json()["next"] not in (None, cursor, again.json()["next"])
    assert len(names(reader.get("/api/v1/search", params={"cursor": cursor, "limit": 3}))) == 3
    assert names(ahead(standing).get(f"/api/v1/search?cursor={cursor}")) == names(once)


def test_a_page_at_an_offset_and_the_last_one_have_no_cursor(reader):
    assert reader.get("/api/v1/search", params={"q": "blue", "limit": 1, "offset": 1}).json()["next"] is None
    assert reader.get("/api/v1/search", params={"q": "blue"}).json()["next"] is None


@pytest.mark.parametrize(
    "others", [{"q": "red"}, {"offset": 0}, {"is": ["photo"], "sort": "date"}, {"not": ["type:raw"]}]
)
def test_beside_a_cursor_stands_nothing_but_a_limit(reader, others):
    cursor = reader.get("/api/v1/search", params={"q": "blue", "limit": 1}).json()["next"]
    answer = reader.get("/api/v1/search", params={"cursor": cursor, **others})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"{', '.join(sorted(others))}: beside a cursor")


def test_a_cursor_is_of_one_route_alone(reader):
    assert reader.get("/api/v1/photos/1/similar", params={"cursor": "x"}).status_code == 422
    upload = {"file": ("photo.png", picture("green"), "image/png")}
    assert reader.post("/api/v1/search", files=upload, data={"cursor": "x"}).status_code == 422


@pytest.mark.parametrize("cursor", ["x", "", "\u6771", "x" * 5_000])
def test_a_cursor_that_is_none_any_more_is_gone(reader, standing, cursor):
    for one in (reader, ahead(standing)):
        answer = one.get("/api/v1/search", params={"cursor": cursor})
        assert (answer.status_code, answer.headers["content-type"]) == (410, PROBLEM)
        assert "Search again" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("params", "status", "said"),
    [
        ({"q": ""}, 400, "empty"),
        ({"q": "x", "limit": 0}, 422, "limit"),
        ({"q": "x", "limit": 1001}, 422, "limit"),
        ({"cursor": "x", "limit": 0}, 422, "limit"),
        ({"cursor": "x", "limit": 1001}, 422, "limit"),
        ({"q": "x", "limit": "many"}, 422, "'many'"),
        ({"q": "x", "offset": -1}, 422, "offset"),
        ({"q": "x", "after": "yesterday"}, 400, "'yesterday'"),
        ({"q": "x after:"}, 400, "after:"),
        ({"q": "x after:2021 before:2020"}, 400, "before"),
        ({"q": "x" * 20_000}, 400, "20,000"),
    ],
)
def test_a_bad_request_is_a_problem_that_says_why(reader, params, status, said):
    answer = reader.get("/api/v1/search", params=params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert said in problem["detail"]


@pytest.mark.parametrize(
    ("params", "position"),
    [
        ({"q": "\U0001f415 after:soon"}, {"start": 8, "end": 12}),  # characters, not UTF-16's units
        ({"q": "red folder:a", "folder": "b"}, {"start": 4, "end": 12}),
        ({"q": "red", "after": "soon"}, None),
        ({"q": "red", "not": "kamera:canon"}, None),
        ({"q": ""}, None),
    ],
)
def test_a_problem_says_where_in_the_query_it_is(reader, params, position):
    told = reader.get("/api/v1/search", params=params).json()
    assert ("position" in told, told.get("position")) == (position is not None, position)


def test_a_picture_finds_photos_like_it_and_words_mix_in(client):
    upload = {"file": ("photo.png", picture("green"), "image/png")}
    assert names(client.post("/api/v1/search", files=upload, data={"limit": 1})) == ["green.png"]
    assert names(client.post("/api/v1/search", files=upload, data={"limit": 1, "q": "red"})) == ["yellow.jpg"]
    assert names(client.post("/api/v1/search", files=upload, data={"q": "folder:trip", "limit": 1})) == ["yellow.jpg"]


@pytest.mark.parametrize("content", [b"no picture at all", b"", picture("red")[:60]])
def test_an_upload_that_is_no_picture_is_refused(client, content):
    answer = client.post("/api/v1/search", files={"file": ("a.jpg", content, "image/jpeg")})
    assert (answer.status_code, answer.headers["content-type"]) == (415, PROBLEM)


@pytest.mark.parametrize(
    "more",
    ["charset=idna", 'CHARSET="Punycode"', "charset=no-such", "charset=é", "charset=", "charset=a\0b", "a;" * 600],
)
def test_a_form_in_an_odd_character_set_is_refused_before_it_is_read(reader, more):
    """Python reads a megabyte of some in a minute, in which nobody else is answered."""
    kind = f"multipart/form-data; boundary=b; {more}".encode()
    body = b'--b\r\nContent-Disposition: form-data; name="q"\r\n\r\nred\r\n--b--\r\n'
    answer = reader.post("/api/v1/search", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (415, PROBLEM)
    assert "UTF-8" in answer.json()["detail"]


@pytest.mark.parametrize("more", ["", "; charset=UTF-8", "; charset=utf8", "; charset=iso-8859-1"])
def test_a_form_in_a_usual_character_set_is_read(reader, more):
    body = b'--b\r\nContent-Disposition: form-data; name="q"\r\n\r\nred\r\n--b--\r\n'
    kind = {"Content-Type": f"multipart/form-data; boundary=b{more}"}
    assert "file: it is left out" in reader.post("/api/v1/search", content=body, headers=kind).json()["detail"]


def test_a_post_without_a_file_is_a_problem(reader):
    answer = reader.post("/api/v1/search", data={"q": "red"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert "file" in answer.json()["detail"]


def test_an_upload_over_the_bound_is_refused(services):
    gate = Gate(build_api(services), max_body=1000)
    with TestClient(gate, base_url="http://localhost") as client:
        declared = client.post("/api/v1/search", files={"file": ("a.jpg", b"x" * 2000, "image/jpeg")})
        chunks = (b"x" * 500 for _ in range(4))
        kind = {"content-type": "multipart/form-data; boundary=b"}
        undeclared = client.post("/api/v1/search", content=chunks, headers=kind)
    for answer in (declared, undeclared):
        assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)


def test_a_photo_tells_all_that_is_known_of_it(client, services):
    number = photo_id(services, "yellow.jpg")
    body = client.get(f"/api/v1/photos/{number}").json()
    assert body["path"].endswith("/trip/yellow.jpg")
    assert (body["format"], body["taken_at"], body["state"]) == ("JPEG", "2021-07-04T10:11:12", "ok")
    assert body["latitude"] is None
    assert body["companions"] == []
    path = services.library.catalog.photo(number).path
    beside = FoundFile("trip/yellow.CR2", 1, 1)
    root = services.library.catalog.photo(number).root_id
    services.library.catalog.keep_companions(root, {"trip/yellow.jpg"}, {"trip/yellow.jpg": [beside]})
    assert client.get(f"/api/v1/photos/{number}").json()["companions"] == [str(path.with_suffix(".CR2"))]


def test_copies_of_a_photo_and_whether_it_can_be_reached_are_told(client, services):
    catalog = services.library.catalog
    number = photo_id(services, "yellow.jpg")
    photo = catalog.photo(number)
    assert client.get(f"/api/v1/photos/{number}").json()["copies"] == []
    copy = CopiedPhoto("elsewhere.jpg", photo.size, photo.mtime_ns, photo.content_hash, number)
    (made,) = catalog.store_copies(photo.root_id, [copy])
    catalog.mark_missing([number], datetime(2024, 2, 3, tzinfo=UTC))
    [other] = client.get(f"/api/v1/photos/{number}").json()["copies"]
    assert other["id"] == made
    assert other["path"].endswith("/elsewhere.jpg")
    hits = client.get("/api/v1/search", params={"all_copies": True, "q": "yellow"}).json()["hits"]
    assert {hit["id"]: hit["reachable"] for hit in hits if hit["id"] in (number, made)} == {number: False, made: True}


@pytest.fixture
def lisbon(world):
    """A photo taken in Lisbon, with an XMP file beside it."""
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x829A: 0.004, 0x829D: 2.8, 0x8827: 400, 0x920A: 50.0})
    exif.get_ifd(0x8825).update({1: "N", 2: (38.0, 42.0, 50.0), 3: "W", 4: (9.0, 8.0, 0.0)})
    Image.new("RGB", (32, 24), "green").save(world.photos / "IMG_20210704_101112.jpg", exif=exif)
    (world.photos / "IMG_20210704_101112.jpg.xmp").write_text(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4" dc:title="Tram" dc:description="Up the hill">'
        "<dc:subject><rdf:Bag><rdf:li>red</rdf:li><rdf:li>Trip|2021</rdf:li></rdf:Bag></dc:subject>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    world.index()
    services = world.services()
    with TestClient(build_api(services), base_url="http://localhost") as client:
        yield client, photo_id(services, "IMG_20210704_101112.jpg")


def test_a_photo_tells_its_place_its_exposure_and_its_words(lisbon):
    client, number = lisbon
    body = client.get(f"/api/v1/photos/{number}").json()
    assert (body["taken_at"], body["taken_source"]) == ("2021-07-04T10:11:12", "name")
    assert (body["city"], body["region"], body["country"]) == ("Lisbon", "Lisbon", "Portugal")
    assert (body["exposure_s"], body["f_number"], body["iso"], body["focal_mm"]) == (0.004, 2.8, 400, 50)
    assert (body["title"], body["description"], body["rating"]) == ("Tram", "Up the hill", 4)
    assert body["keywords"] == ["red", "Trip|2021"]


@pytest.mark.parametrize("place", ["LISBON", "portugal", "Lisbon, Portugal"])
def test_a_place_is_a_filter_among_the_words_and_beside_them(lisbon, place):
    client, _ = lisbon
    for params in ({"q": f'red place:"{place}"'}, {"q": "red", "place": place}):
        assert names(client.get("/api/v1/search", params=params)) == ["IMG_20210704_101112.jpg"]
    upload = {"file": ("x.png", picture("red"), "image/png")}
    answer = client.post("/api/v1/search", files=upload, data={"place": place})
    assert names(answer) == ["IMG_20210704_101112.jpg"]
    assert client.get("/api/v1/search", params={"q": "red place:Porto"}).json()["total"] == 0


def test_similar_photos_leave_the_photo_itself_out(reader, standing):
    number = photo_id(standing, "blue.png")
    answer = reader.get(f"/api/v1/photos/{number}/similar", params={"limit": 2})
    assert names(answer)[0] == "purple.jpg"
    assert "blue.png" not in names(answer)


def test_photos_similar_to_several(reader, standing):
    red, blue = (photo_id(standing, name) for name in ("red.png", "blue.png"))
    answer = reader.get(f"/api/v1/photos/{red}/similar", params={"also": [blue], "limit": 1})
    assert names(answer) == ["purple.jpg"]
    assert answer.json()["total"] == reader.get(f"/api/v1/photos/{red}/similar").json()["total"] - 1


@pytest.mark.parametrize(
    ("also", "status"), [("987654", 400), ("0", 422), ("x", 422), (str(2**63), 422), (["1"] * 100, 422)]
)
def test_similar_to_several_names_what_is_wrong(reader, standing, also, status):
    number = photo_id(standing, "red.png")
    answer = reader.get(f"/api/v1/photos/{number}/similar", params={"also": also})
    assert answer.status_code == status
    assert ("also: " if status == 422 else "no photo with the id 987654") in answer.json()["detail"]


def test_photos_similar_to_a_region(client, services, world):
    halves = Image.new("RGB", (80, 40), NAMES["red"])
    halves.paste(NAMES["blue"], (40, 0, 80, 40))
    halves.save(world.photos / "halves.png")
    world.index()
    path = f"/api/v1/photos/{photo_id(services, 'halves.png')}/similar"
    for region, best in (("0,0,40%,1", "red.png"), ("0.6,0,0.4,1", "blue.png")):
        answer = client.get(path, params={"region": region})
        assert (names(answer)[0], answer.json()["total"]) == (best, 5)
    both = client.get(path, params={"region": "0,0,40%,1", "also": photo_id(services, "blue.png"), "limit": 1})
    assert names(both) == ["purple.jpg"]
    refused = client.get(path, params={"region": "60%,0,50%,1"})
    assert (refused.status_code, "out of the picture" in refused.json()["detail"]) == (400, True)
    (world.photos / "halves.png").unlink()
    assert client.get(path, params={"region": "0,0,1,1"}).status_code == 410


def test_a_thumbnail_that_cannot_be_kept_is_shown(client, services):
    """On a full disk the page was one of broken pictures, each of which had been made."""
    number = photo_id(services, "blue.png")
    store = services.library.thumbnails
    kept = client.get(f"/api/v1/photos/{number}/thumbnail").content
    shutil.rmtree(store.folder)
    store.folder.write_bytes(b"no folder")
    answer = client.get(f"/api/v1/photos/{number}/thumbnail")
    assert (answer.status_code, answer.content) == (200, kept)


@pytest.mark.parametrize("kind", ["", "/thumbnail", "/preview", "/original", "/similar"])
@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("987654", 404),
        ("-1", 404),
        ("9" * 30, 404),
        ("1.5", 422),
        ("%201", 422),
        ("+1", 422),
        ("1_0", 422),
        ("01", 422),
        ("-0", 422),
        ("%D9%A1", 422),
        ("..%2F..%2Fetc%2Fpasswd", 404),
    ],
)
def test_an_unknown_id_names_nothing(reader, kind, number, status):
    answer = reader.get(f"/api/v1/photos/{number}{kind}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)


def test_a_thumbnail_is_served_kept_and_made_again_when_missing(client, services):
    number = photo_id(services, "blue.png")
    first = client.get(f"/api/v1/photos/{number}/thumbnail")
    tag = services.library.catalog.photo(number).content_hash
    assert (first.headers["content-type"], first.headers["etag"]) == ("image/webp", f'"{tag}-0"')
    assert "no-cache" in first.headers["cache-control"]
    again = client.get(f"/api/v1/photos/{number}/thumbnail", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    named = client.get(f"/api/v1/photos/{number}/thumbnail", params={"v": tag})
    assert "immutable" in named.headers["cache-control"]

    services.library.thumbnails.remove(tag)
    assert client.get(f"/api/v1/photos/{number}/thumbnail").status_code == 200
    assert services.library.thumbnails.exists(tag)


def test_the_original_is_served_byte_for_byte(client, services, world):
    answer = client.get(f"/api/v1/photos/{photo_id(services, 'yellow.jpg')}/original")
    assert answer.content == (world.photos / "trip/yellow.jpg").read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == 'inline; filename="yellow.jpg"'
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_download_that_goes_on_by_if_match_or_a_date_is_told_that_the_file_is_another(client, services, world):
    """Else it would be put together of two files."""
    route = f"/api/v1/photos/{photo_id(services, 'yellow.jpg')}/original"

    def ask(**headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(route, headers={"Range": "bytes=1-3", **names}).status_code

    first = client.get(route).headers
    tag, date = first["etag"], first["last-modified"]
    assert [ask(if_match=one) for one in (tag, f'"a", {tag}', "*", f"W/{tag}", '"a"', "")] == [206] * 3 + [412] * 3
    assert [ask(if_unmodified_since=one) for one in (date, "no date", "Thu, 01 Jan 1970 00:00:00 GMT")] == [
        206,
        206,
        412,
    ]
    assert ask(if_match=tag, if_unmodified_since="Thu, 01 Jan 1970 00:00:00 GMT") == 206
    os.utime(world.photos / "trip/yellow.jpg", (2_000_000_000, 2_000_000_000))
    assert (ask(if_match=tag), ask(if_unmodified_since=date)) == (412, 412)


def test_an_original_that_is_gone_is_410_with_a_reason(client, services, world):
    number = photo_id(services, "blue.png")
    (world.photos / "blue.png").unlink()
    services.library.thumbnails.remove(services.library.catalog.photo(number).content_hash)
    for kind in ("original", "preview", "thumbnail"):
        answer = client.get(f"/api/v1/photos/{number}/{kind}")
        assert (answer.status_code, answer.headers["content-type"]) == (410, PROBLEM)
        assert "blue.png" in answer.json()["detail"]


def test_a_photo_that_became_a_link_out_of_the_folder_is_not_served(client, services, world, tmp_path):
    number = photo_id(services, "blue.png")
    secret = tmp_path / "secret.txt"
    secret.write_text("not yours")
    (world.photos / "blue.png").unlink()
    (world.photos / "blue.png").symlink_to(secret)
    for kind in ("original", "preview"):
        answer = client.get(f"/api/v1/photos/{number}/{kind}")
        assert answer.status_code == 410
        assert b"not yours" not in answer.content


def test_a_photo_behind_a_link_that_was_indexed_is_served(world, tmp_path):
    elsewhere = tmp_path / "elsewhere.png"
    elsewhere.write_bytes(picture("black"))
    (world.photos / "linked.png").symlink_to(elsewhere)
    world.index()
    services = world.services()
    with TestClient(build_api(services), base_url="http://localhost") as client:
        answer = client.get(f"/api/v1/photos/{photo_id(services, 'linked.png')}/original")
    assert answer.content == elsewhere.read_bytes()


def test_the_preview_is_upright_webp_within_its_side(tmp_path):
    world = World(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it upright
    Image.effect_noise((2400, 1800), 60).convert("RGB").save(world.photos / "turned.tif", exif=exif)
    world.index()
    services = world.services()
    with TestClient(build_api(services), base_url="http://localhost") as client:
        number = photo_id(services, "turned.tif")
        answer = client.get(f"/api/v1/photos/{number}/preview")
        shown = Image.open(io.BytesIO(answer.content))
        assert (shown.format, shown.size) == ("WEBP", (1200, 1600))
        kept = client.get(f"/api/v1/photos/{number}/original")
        assert kept.headers["content-type"] == "application/octet-stream"
        assert kept.headers["content-disposition"].startswith("attachment")


def test_names_that_are_hard_to_write_stay_out_of_headers_and_json(tmp_path):
    world = World(tmp_path)
    hard = os.fsdecode(b'a"b;\xff\n.png')
    world.write(hard, "red")
    world.index()
    services = world.services()
    with TestClient(build_api(services), base_url="http://localhost") as client:
        hit = client.get("/api/v1/search", params={"q": "red"}).json()["hits"][0]
        assert hit["path"].endswith('a"b;\ufffd\n.png')
        answer = client.get(f"/api/v1/photos/{hit['id']}/original")
        assert answer.status_code == 200
        assert "filename*=utf-8''a_b_%EF%BF%BD_.png" in answer.headers["content-disposition"]
        assert client.get("/api/v1/status").status_code == 200


def test_a_changed_files_preview_is_not_sent_as_what_a_browser_has(client, services, world):
    number = photo_id(services, "blue.png")
    stored = services.library.catalog.photo(number).content_hash
    for kind in ("preview", "original"):
        first = client.get(f"/api/v1/photos/{number}/{kind}", params={"v": stored})
        assert first.status_code == 200
        same = client.get(f"/api/v1/photos/{number}/{kind}", headers={"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        world.write("blue.png", "red" if kind == "preview" else "green")
        os.utime(world.photos / "blue.png", (1, 1 if kind == "preview" else 2))  # another time than it was indexed with
        changed = client.get(
            f"/api/v1/photos/{number}/{kind}", params={"v": stored}, headers={"If-None-Match": first.headers["etag"]}
        )
        assert changed.status_code != 304
        assert changed.headers.get("etag") != first.headers["etag"]
        assert "immutable" not in changed.headers.get("cache-control", "")


@pytest.mark.parametrize("name", ["a\x1b[31mb.png", "gpj.\u202eexe.png", "a\u2028b.png"])
def test_a_name_in_a_problem_steers_no_terminal_and_turns_no_line(tmp_path, name):
    world = World(tmp_path)
    world.write(name, "red")
    world.index()
    services = world.services()
    number = photo_id(services, name)
    (world.photos / name).unlink()
    with TestClient(build_api(services), base_url="http://localhost") as client:
        detail = client.get(f"/api/v1/photos/{number}/original").json()["detail"]
    assert name not in detail
    assert name.encode("unicode_escape").decode() in detail


def test_status_and_health(client, world):
    body = client.get("/api/v1/status").json()
    assert (body["photos"], body["failed"], body["missing"]) == (5, 0, 0)
    assert body["model"]["name"] == "colours"
    assert body["index"]["vectors"] == 5
    assert body["roots"][0]["path"] == str(world.photos)
    assert client.get("/api/v1/health").json() == {"status": "ok"}


def test_an_empty_library_says_what_to_do(tmp_path):
    services = World(tmp_path).services()
    with TestClient(build_api(services), base_url="http://localhost") as client:
        answer = client.get("/api/v1/search", params={"q": "red"})
        assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
        assert "picsift index" in answer.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE", "TRACE"])
def test_what_nothing_answers_is_a_problem_too(reader, method):
    answer = reader.request(method, "/api/v1/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


def test_openapi_describes_every_route_and_documentation_loads_from_nowhere(reader):
    paths = reader.get("/openapi.json").json()["paths"]
    photo = "/api/v1/photos/{photo_id}"
    kinds = {f"{photo}/{kind}" for kind in ("thumbnail", "preview", "original", "similar", "heat", "edits")}
    tags = {f"/api/v1/tags{below}" for below in ("", "/rename", "/merge", "/changes", "/restore")} | {f"{photo}/tags"}
    exports = {f"/api/v1/exports{below}" for below in ("", "/preview", "/run", "/table", "/ways")}
    exports |= {f"/api/v1/exports/{{export_id}}/{what}" for what in ("undo", "forget")}
    own = {f"/api/v1/{name}" for name in ("search", "status", "health", "duplicates", "tagging", "review")}
    assert set(paths) == own | {photo} | kinds | tags | exports
    assert set(paths["/api/v1/search"]) == {"get", "post"}
    assert reader.get("/docs").status_code == 404


@pytest.mark.parametrize("sent", ["q=red&q=blue", "q=red&limit=1&limit=2", "q=red&after=2020&after=2021", "q=&q=red"])
def test_a_parameter_of_one_value_is_refused_when_it_stands_twice(reader, sent):
    answer = reader.get(f"/api/v1/search?{sent}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    name = "limit" if "limit" in sent else "after" if "after" in sent else "q"
    assert answer.json()["detail"].startswith(f"{name} stands 2 times, and is taken once.")
    assert ("in one q" in answer.json()["detail"]) == (name == "q")
    assert (
        reader.get("/api/v1/search?q=red&tag=a&tag=b&not=type:png&not=type:jpeg&is=photo&is=photo").status_code == 200
    )


def test_a_word_of_a_form_is_refused_when_it_stands_twice(client, world):
    file = {"file": ("a.png", (world.photos / "red.png").read_bytes())}
    answer = client.post("/api/v1/search", data={"q": ["red", "blue"]}, files=file)
    assert (answer.status_code, answer.json()["detail"][:15]) == (400, "q stands 2 time")
    assert client.post("/api/v1/search", data={"q": "red"}, files=file).status_code == 200


def test_marks_refine_a_search(reader, standing):
    red, yellow, purple = (photo_id(standing, name) for name in ("red.png", "yellow.jpg", "purple.jpg"))
    assert names(reader.get("/api/v1/search", params={"q": "black"}))[0] == "yellow.jpg"
    marked = reader.get("/api/v1/search", params={"q": "black", "right": [purple], "wrong": [yellow]})
    assert names(marked)[0] == "purple.jpg"
    assert "yellow.jpg" not in names(marked)
    assert (len(marked.json()["hits"]), marked.json()["total"]) == (4, 4)
    like = reader.get(f"/api/v1/photos/{red}/similar", params={"right": [yellow], "wrong": [purple]})
    assert names(like)[0] == "yellow.jpg"
    assert not {"red.png", "purple.jpg"} & set(names(like))


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ("q=red&right=999", 400, "photo 999 is marked, and cannot be compared with"),
        (f"q=red&wrong={2**62}", 400, "is marked, and cannot be compared with"),
        ("q=red&right=1&wrong=1", 400, "photo 1 is marked right and wrong"),
        ("right=1", 400, "the query is empty"),
        ("folder=trip&wrong=1", 400, "marks refine what is looked for, and these are filters alone"),
        ("folder=trip&diverse=true", 400, "a diverse order is of what a search found"),
        ("q=red&diverse=true&sort=date", 400, "one order is by date, another one diverse"),
        ("q=red&right=0", 422, "right: "),
        (f"q=red&right={2**63}", 422, "less than or equal to 9223372036854775807"),
        ("q=red&min_relevance=0_1", 422, "min_relevance: a number has no underscores in it"),
        ("q=red&" + "&".join(f"right={number}" for number in range(1, 102)), 422, "right: "),
    ],
)
def test_marks_and_orders_that_cannot_be_are_refused(reader, sent, status, said):
    answer = reader.get(f"/api/v1/search?{sent}")
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("search?q=red", "limit"),
        ("search?q=red", "offset"),
        ("search?q=red", "right"),
        ("search?q=red", "wrong"),
        ("photos/1/similar?", "also"),
        ("photos/1/thumbnail?", "frame"),
        ("photos/1/heat?q=red", "frame"),
        ("duplicates?", "limit"),
        ("review?", "limit"),
        ("exports/preview?", "page"),
    ],
)
def test_a_number_in_an_address_has_digits_alone(reader, path, name):
    for number in ("+1", "1_0", " 1", "1.0", "٣", "1\n", ""):
        answer = reader.get(f"/api/v1/{path}&{urlencode({name: number})}")
        assert (answer.status_code, answer.json()["detail"].startswith(f"{name}: ")) == (422, True), answer.text


@pytest.mark.parametrize(
    ("path", "sent", "said"),
    [
        ("photos/1/edits", b"", "body: it is left out"),
        ("photos/1/edits", b"{", "body: it is no JSON"),
        ("photos/1/edits", b"{}", "body: say what to give"),
        ("tags/rename", b'{"tag": "a"}', "to: it is left out"),
    ],
)
def test_what_is_wrong_with_a_body_is_said_in_words(reader, path, sent, said):
    answer = reader.post(f"/api/v1/{path}", content=sent, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(said)
    assert "not {" not in answer.json()["detail"]
    assert "Value error" not in answer.json()["detail"]


def test_a_preview_is_of_the_file_that_its_tag_is_of(client, services, world, monkeypatch):
    """Another file in its place, between the look and the reading, is not sent under the first one's tag."""
    number, path = photo_id(services, "blue.png"), world.photos / "blue.png"
    first = client.get(f"/api/v1/photos/{number}/preview")
    made = pictures.preview

    def swapped(*args):
        world.write("other.png", "red").replace(path)
        return made(*args)

    monkeypatch.setattr(pictures, "preview", swapped)
    answer = client.get(f"/api/v1/photos/{number}/preview")
    assert (answer.status_code, "etag" in answer.headers) == (415, False)
    monkeypatch.setattr(pictures, "preview", made)
    assert client.get(f"/api/v1/photos/{number}/preview").headers["etag"] != first.headers["etag"]


def test_marks_that_contradict_each_other_are_refused(client, world):
    (world.photos / "again.png").write_bytes((world.photos / "red.png").read_bytes())
    world.index()
    one, other = (
        world.services().library.catalog.photo_at(world.photos / name).id for name in ("red.png", "again.png")
    )
    for path, params, said in (
        ("search", {"q": "red", "right": one, "wrong": other}, f"photo {one} is marked right, and a copy of it wrong"),
        (f"photos/{one}/similar", {"wrong": one}, f"hits shall be like photo {one}"),
        (f"photos/{one}/similar", {"wrong": other}, "or a copy of it, is marked wrong"),
    ):
        answer = client.get(f"/api/v1/{path}", params=params)
        assert (answer.status_code, said in answer.json()["detail"]) == (400, True), answer.text
    assert client.get("/api/v1/search", params={"q": "red", "right": [one, other]}).status_code == 200


def test_an_answer_says_whether_more_follow(reader):
    told = [reader.get("/api/v1/search", params={"q": "red", "limit": limit}).json()["has_more"] for limit in (2, 5)]
    assert told == [True, False]


def test_what_stands_beside_an_uploaded_picture_in_the_address_is_refused(client, world):
    upload = {"file": ("red.png", (world.photos / "red.png").read_bytes(), "image/png")}
    for address in ("limit=3&limit=4", "bogus=1", "limit=3"):
        answer = client.post(f"/api/v1/search?{address}", files=upload)
        assert (answer.status_code, "stands in the address" in answer.json()["detail"]) == (400, True)


def test_copies_stand_behind_one_hit_and_each_is_one_where_that_is_asked_for(world):
    for number in range(3):
        (world.photos / "more").mkdir(exist_ok=True)
        (world.photos / "more" / f"blue{number}.png").write_bytes((world.photos / "blue.png").read_bytes())
    world.index()
    with TestClient(Gate(build_api(world.services())), base_url="http://localhost") as client:
        for params in ({"q": "blue"}, {"q": "blue", "sort": "date"}, {"type": "png"}):
            one = client.get("/api/v1/search", params=params)
            each = client.get("/api/v1/search", params={**params, "all_copies": True})
            blue = [hit for hit in one.json()["hits"] if "blue" in hit["path"]]
            assert len(blue) == 1, params
            shown = [blue[0]["path"], *(copy["path"] for copy in blue[0]["copies"])]
            assert sorted(shown) == sorted(hit["path"] for hit in each.json()["hits"] if "blue" in hit["path"])
            assert len(shown) == 4
            assert len(each.json()["hits"]) == len(one.json()["hits"]) + 3
            assert one.json()["total"] == each.json()["total"]
        wrong = client.get("/api/v1/search", params={"q": "blue", "wrong": blue[0]["id"], "all_copies": True})
        assert not [name for name in names(wrong) if "blue" in name], "nor a copy of what is wrong"
        twice = client.get("/api/v1/search", params={"duplicate": "yes"}).json()["hits"]
        assert [len(hit["copies"]) for hit in twice] == [0] * 4


def test_a_diverse_order_shows_each_burst_once_before_it_shows_more(world):
    for number in range(1, 4):
        world.write(f"red{number}.png", (230, 20, 20 + number))
    world.index()
    with TestClient(Gate(build_api(world.services())), base_url="http://localhost") as client:
        plain = names(client.get("/api/v1/search", params={"q": "red yellow"}))
        spread = names(client.get("/api/v1/search", params={"q": "red yellow", "diverse": True}))
        pages = [
            names(client.get("/api/v1/search", params={"q": "red yellow", "diverse": True, "limit": 3, "offset": at}))
            for at in (0, 3, 6)
        ]
    assert sorted(plain) == sorted(spread)
    assert [sum("red" in name for name in order[:3]) for order in (plain, spread)] == [2, 1], (plain, spread)
    assert [name for page in pages for name in page] == spread


@pytest.mark.parametrize(
    "sent",
    [
        "q=red",
        "q=red&limit=2&offset=1&sort=date",
        "q=red&tag=a&tag=b&not=type:png&is=photo&has=gps&min_relevance=0.25",
        "q=red&right=1&right=2&wrong=3&diverse=true&all_copies=1",
        "after=&folder=trip&text=yell*",
        "q=%ff%00&width=%3E=30",
    ],
)
def test_a_sound_search_is_answered_ahead_and_as_the_api_does(reader, standing, monkeypatch, sent):
    theirs = reader.get(f"/api/v1/search?{sent}")
    query, read = SearchFields.query, []
    monkeypatch.setattr(SearchFields, "query", lambda fields, *args: read.append(fields) or query(fields, *args))
    assert reader.get(f"/api/v1/search?{sent}").status_code == theirs.status_code == 200
    ours = ahead(standing).get(f"/api/v1/search?{sent}")
    assert read[0] == read[1]
    assert (ours.status_code, ours.headers["content-type"]) == (200, theirs.headers["content-type"])
    ours, theirs = ours.json(), theirs.json()
    assert (ours.pop("next") is None) == (theirs.pop("next") is None)
    assert {**ours, "took_ms": 0} == {**theirs, "took_ms": 0}


def test_hits_ahead_are_written_as_the_model_would_whatever_they_hold_and_without_it(services, monkeypatch):
    found = services.search.search(Query(text="red"))
    odd = found.hits[0].photo._replace(
        path=Path(os.fsdecode(b"/a/\xff \xc3\xa9.jpg")),
        taken_at=datetime(2021, 6, 1, 12, 0, 0, 250_000),
        missing_since=datetime.now(UTC),
        companions=(Path(os.fsdecode(b"/a/\xfe.cr2")),),
        duration_s=12.0,
        width=None,
    )
    hits = [
        Hit(odd, 0.123456789, 1e-7, 3, 1.23456, ("words", "picture"), (odd, odd)),
        Hit(odd, None),
        Hit(odd, float("nan"), float("inf")),
    ]
    told = replace(found, hits=hits, hint="\u00e9\u2028 <b>", matches=None, took_ms=12.345)
    expected = SearchAnswer.of(told, services.cursors).model_dump_json()
    monkeypatch.setattr(services.search, "search", lambda query: told)
    monkeypatch.setattr(SearchAnswer, "of", None)
    assert ahead(services).get("/api/v1/search?q=red").text == expected


def nobody(scope, receive, send):
    raise AssertionError("it was not answered ahead")


def ahead(services, behind=nobody):
    return TestClient(QuickSearch(behind, services), base_url="http://localhost", raise_server_exceptions=True)


REFUSED = [
    "q=a&q=b",
    "limit=0",
    "q=red&kamera=x",
    "sort=size",
    "right=x",
    "limit=1&limit=2",
    "q=red%20%2B",
    "after=2021-13",
]


@pytest.mark.parametrize("sent", REFUSED)
def test_what_is_refused_is_explained_as_the_api_does(reader, standing, sent):
    theirs = reader.get(f"/api/v1/search?{sent}")
    assert theirs.status_code in (400, 422)
    ours = ahead(standing, build_api(standing)).get(f"/api/v1/search?{sent}")
    assert (ours.status_code, ours.json(), ours.headers["content-type"]) == (theirs.status_code, theirs.json(), PROBLEM)


@pytest.mark.parametrize(("error", "status", "times"), [(LibraryError("busy"), 503, 1), (RuntimeError("no"), 500, 2)])
def test_a_search_that_fails_is_told_as_the_api_does_and_not_done_again(services, monkeypatch, error, status, times):
    tried = []

    def search(query):
        tried.append(query)
        raise error

    monkeypatch.setattr(services.search, "search", search)
    client = TestClient(QuickSearch(build_api(services), services), raise_server_exceptions=False)
    answer = client.get("/api/v1/search?q=red")
    assert (answer.status_code, answer.headers["content-type"], len(tried)) == (status, PROBLEM, times)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "search"), ("HEAD", "search"), ("GET", "searches"), ("GET", "search/"), ("GET", "photos/1")],
)
def test_nothing_but_a_search_is_answered_ahead(standing, method, path):
    with pytest.raises(AssertionError, match="ahead"):
        ahead(standing).request(method, f"/api/v1/{path}?q=red")


def test_a_range_counts_for_nothing_where_only_the_head_is_asked_for(reader):
    whole = reader.get("/api/v1/photos/1/original")
    answer = reader.head("/api/v1/photos/1/original", headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(whole.content)))
    assert "content-range" not in answer.headers
