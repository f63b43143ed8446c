"""Whoever is answered by the model that comes with picsift is told what it cannot do, and how to get a stronger one."""

from contextlib import closing

import pytest

from app import doctor
from app.built_in import LIMITS, NAMES, STRONGER, limits_of
from app.cli.indexing import bring_in_step
from app.cli.searching import changed_since
from app.cli.terminal import output
from app.search import embedders
from app.search.query import Query
from app.search.search_service import Hit
from app.settings import Settings
from app.status import read_status
from app.web.page import browsing, gallery
from app.web.page.question import Question
from clip_model import registry
from tests.app.colours import ColourEmbedder, World
from tests.app.web.page.test_gallery import Elements, photo, shown


def test_it_says_all_that_such_a_small_model_cannot_do_and_a_command_that_there_is():
    for word in ("read", "count", "know people", "left of"):
        assert word in LIMITS
    assert "picsift models list" in STRONGER
    assert NAMES == {registry.BUILTIN, registry.EARLIER} == {info.name for info in registry.available()}
    assert limits_of("ViT-B-32-datacomp") is None


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path, ColourEmbedder(name="builtin"))
    world.write("red.png", "red")
    return world


@pytest.mark.parametrize("name", ["builtin", "colours"])
def test_status_and_the_page_say_it_of_the_built_in_model_alone(tmp_path, capsys, name):
    world = World(tmp_path, ColourEmbedder(name=name))
    world.write("red.png", "red")
    world.index(name)
    output.show_status(read_status(world.services()), json=False)
    assert (LIMITS in capsys.readouterr().out) == (name == "builtin")
    result = world.services().search.search(Query(text="red"))
    page = shown([Hit(photo(), None)])
    page = type(page)(page.query, None, None, result)
    opening = Elements(gallery.opening(browsing.ask(world.services(), Question()), "")).text
    titles = [attrs["title"] for attrs in Elements(gallery.summary(page)).all("span")]
    assert (LIMITS in opening, LIMITS in titles[0]) == (name == "builtin",) * 2
    assert name in titles[0]


def test_the_doctor_says_it(monkeypatch):
    model = ColourEmbedder(name="builtin")
    monkeypatch.setattr(doctor, "Embedder", lambda *_, **__: model)
    model.embed_images = lambda pictures: [[1.0, 0.0]]
    model.embed_texts = lambda texts: [[0.0, 1.0]]
    assert LIMITS in doctor._model(Settings())[1]
    model.name = "another"
    assert LIMITS not in doctor._model(Settings())[1]


def test_a_newer_built_in_model_takes_over_with_words_at_each_step(world, monkeypatch, capsys):
    world.index("builtin")
    old, new = world.embedders["builtin"], ColourEmbedder(name="builtin", fingerprint="d1" * 32, turn=2)
    world.embedders |= {"builtin": new, "builtin-1": ColourEmbedder(name="builtin-1")}
    monkeypatch.setattr(embedders, "kept_model", {old.fingerprint: "builtin-1"}.get)
    services = world.services()
    asked = Query(text="red")
    assert services.search.search(asked).hits[0].photo.path.name == "red.png"
    assert "the one before goes on answering" in changed_since(asked, services)
    assert changed_since(Query(), services) is None, "no model has answered filters alone"
    monkeypatch.setattr(doctor, "build_services", lambda settings: services)
    ok, detail = doctor._library(world.settings)
    assert ok, "searches are answered"
    assert "picsift index --model builtin" in detail
    with closing(world.services()) as indexing:
        bring_in_step(indexing, [world.photos])
    assert "the one before answers until all of them are" in capsys.readouterr().err
    assert changed_since(asked, services) is None
    assert doctor._library(world.settings)[1] == detail.partition(";")[0]
    with closing(world.services()) as indexing:
        bring_in_step(indexing, [world.photos])
    assert "the one before" not in capsys.readouterr().err
