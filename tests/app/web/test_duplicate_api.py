"""Groups of photos that are one picture, over HTTP."""

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.web.api import build_api
from app.web.door.security import Gate

URL = "/api/v1/duplicates"


def scene(seed):
    """A picture that shows something."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC)


@pytest.fixture
def services(world):
    scene(0).save(world.photos / "a.png")
    scene(0).save(world.photos / "a small.jpg", quality=80)
    (world.photos / "trip" / "a copy.png").write_bytes((world.photos / "a.png").read_bytes())
    for name in ("b.png", "b 2.png"):
        scene(1).save(world.photos / name)
    world.index()
    return world.services()


@pytest.fixture
def client(services):
    with TestClient(Gate(build_api(services)), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def paths(group):
    return [one["path"].rpartition("/")[2] for one in (group["best"], *group["others"])]


def test_groups_name_the_best_and_what_the_others_are(client):
    body = client.get(URL).json()
    assert (body["photos"], body["total"]) == (10, 2)
    first, second = body["groups"]
    assert paths(first) == ["a.png", "a copy.png", "a small.jpg"]
    assert [one["kind"] for one in first["others"]] == ["exact", "near"]
    assert first["others"][0]["compared_with"] == first["best"]["id"]
    assert (first["best"]["width"], first["best"]["format"], first["best"]["reachable"]) == (320, "PNG", True)
    assert paths(second) == ["b.png", "b 2.png"]


def test_groups_come_page_by_page_of_the_kinds_and_photos_that_are_asked_for(client):
    pages = [client.get(URL, params={"limit": 1, "offset": at}).json() for at in (0, 1, 2)]
    assert [[paths(group)[0] for group in page["groups"]] for page in pages] == [["a.png"], ["b.png"], []]
    assert {page["total"] for page in pages} == {2}
    assert [paths(one) for one in client.get(URL, params={"kind": ["near"]}).json()["groups"]] == [
        ["a.png", "a small.jpg"]
    ]
    assert client.get(URL, params={"folder": "trip"}).json()["total"] == 0
    nothing = client.get(URL, params={"folder": "nowhere"}).json()
    assert (nothing["total"], nothing["photos"], nothing["hint"]) == (0, 0, "no folder is called 'nowhere'.")
    assert client.get(URL, params={"name": "b*", "kind": ["exact", "burst"]}).json()["total"] == 1


def test_one_look_serves_all_pages_until_the_library_changes(client, services, world, monkeypatch):
    looks = []
    find = services.duplicates.find
    monkeypatch.setattr(services.duplicates, "find", lambda *asked: looks.append(asked) or find(*asked))
    for offset in (0, 1, 0):
        client.get(URL, params={"offset": offset})
    assert len(looks) == 1
    (world.photos / "b 2.png").unlink()
    world.index()
    assert client.get(URL).json()["total"] == 1
    assert len(looks) == 2


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [("kind=same", 422, "kind"), ("limit=1&limit=2", 400, "limit stands 2 times"), ("q=red", 422, "q: "),
     ("after=x", 400, "after: wants")],
)  # fmt: skip
def test_what_is_no_such_question_is_refused(reader, sent, status, said):
    answer = reader.get(f"{URL}?{sent}")
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True)
