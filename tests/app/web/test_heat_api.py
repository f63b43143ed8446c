"""Why a photo matched, over HTTP: how much of it fits the words, cell by cell."""

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.web.api import build_api
from app.web.door.security import Gate
from clip_model.preprocessing.squares import CenterSquare
from tests.app.colours import NAMES, ColourEmbedder, World
from tests.app.serving import photo_id

SIDE = 16


class QuarterEmbedder(ColourEmbedder):
    """Sees colours, in a picture as a whole or in its quarters."""

    prepare = CenterSquare(SIDE)
    squashes = False

    def _vectors(self, colours):
        return super()._vectors([np.asarray(one, np.float32).reshape(-1, 3).mean(axis=0) for one in colours])

    def embed_cells(self, square):
        assert (square.shape, square.dtype) == ((SIDE, SIDE, 3), np.uint8)
        half = SIDE // 2
        quarters = [square[down : down + half, right : right + half] for down in (0, half) for right in (0, half)]
        return self._vectors(quarters).reshape(2, 2, -1), self.squashes


@pytest.fixture
def services(tmp_path):
    world = World(tmp_path, QuarterEmbedder())
    image = Image.new("RGB", (160, 80), NAMES["blue"])
    image.paste(NAMES["red"], (80, 40, 120, 80))  # the lower right quarter of the square in the middle
    image.save(world.photos / "corner.png")
    Image.new("RGB", (80, 160), NAMES["red"]).save(world.photos / "red.png")
    world.index()
    return world.services()


@pytest.fixture
def client(services):
    with TestClient(Gate(build_api(services)), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def heat(client, number, **params):
    return client.get(f"/api/v1/photos/{number}/heat", params=params)


def test_the_words_are_where_they_are(client, services):
    body = heat(client, photo_id(services, "corner.png"), q="red").json()
    assert body["relevance"] is None, "no level of this model is known"
    assert body["region"] == {"left": 0.25, "top": 0, "width": 0.5, "height": 1}
    assert np.argmax(np.ravel(body["heat"])) == 3
    assert (np.max(body["heat"]), np.min(body["heat"])) == (1, 0)
    assert body["cosines"][1][1] > 0.9 > body["cosines"][0][0]
    other = heat(client, photo_id(services, "corner.png"), q="blue after:2000").json()
    assert np.argmin(np.ravel(other["heat"])) == 3


def test_words_that_a_photo_does_not_show_are_said_not_to_be_there_and_stay_faint(client, services, monkeypatch):
    monkeypatch.setattr(services.search._background, "_names", lambda: list(NAMES))
    number = photo_id(services, "corner.png")
    there, absent = (heat(client, number, q=words).json() for words in ("blue", "yellow"))
    assert 0.5 > there["relevance"] > 10 * absent["relevance"], "it is of several colours"
    for one in (there, absent):
        assert np.max(one["heat"]) == pytest.approx(one["relevance"] / 0.5, abs=1e-3)
    monkeypatch.setattr("app.web.heat_api.LOOKS_LIKE", there["relevance"] / 2)
    assert np.max(heat(client, number, q="blue").json()["heat"]) == 1


def test_a_model_that_squashes_pictures_sees_them_whole(client, services, monkeypatch):
    monkeypatch.setattr(QuarterEmbedder, "squashes", True)
    body = heat(client, photo_id(services, "corner.png"), q="red").json()
    assert body["region"] == {"left": 0, "top": 0, "width": 1, "height": 1}


def test_where_all_is_alike_nothing_stands_out(client, services):
    body = heat(client, photo_id(services, "red.png"), q="red").json()
    assert body["region"] == {"left": 0, "top": 0.25, "width": 1, "height": 0.5}
    assert np.max(body["heat"]) < 0.05


@pytest.mark.parametrize(
    ("params", "status", "said"),
    [
        ({}, 422, "q: "),
        ({"q": ""}, 400, "the query is empty"),
        ({"q": "after:2000"}, 400, "the query is empty"),
        ({"q": "image:/etc/passwd"}, 400, "image: is for"),
        ({"q": ["red", "blue"]}, 400, "q stands 2 times"),
        ({"q": "red", "frame": -1}, 422, "frame"),
        ({"q": "red", "x": 1}, 422, "x: nothing here is called that"),
    ],
)
def test_what_is_no_such_question_is_refused(client, services, params, status, said):
    answer = heat(client, photo_id(services, "red.png"), **params)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True)


def test_a_photo_that_went_has_none(client, services):
    number = photo_id(services, "red.png")
    services.library.catalog.photo(number).path.unlink()
    assert heat(client, number, q="red").status_code == 410
    assert heat(client, 9999, q="red").status_code == 404
