"""The demo's photos are there, are photos, and are gone afterwards."""

import hashlib
import importlib.util
from pathlib import Path

import pytest
from PIL import Image

from app.built_in import LIMITS
from app.cli import demo
from app.settings import Settings
from indexer.errors import PicsiftError
from tests.app.colours import ColourEmbedder


def test_at_least_fifteen_distinct_photos_are_installed():
    found = demo.find_photos()
    assert len(found) >= demo.ENOUGH
    assert len({path.name for path in found}) == len(found)
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in found}) == len(found)


def test_each_of_them_is_a_picture_of_some_size():
    for path in demo.find_photos():
        with Image.open(path) as image:
            image.load()
            assert min(image.size) >= 150, path


def test_every_photo_that_is_named_is_there():
    installed = [package for package in demo.PHOTOS if importlib.util.find_spec(package)]
    assert {"skimage", "gradio"} <= set(installed)
    assert len(demo.find_photos()) == sum(len(demo.PHOTOS[package]) for package in installed)


@pytest.fixture
def colours(monkeypatch):
    embedder = ColourEmbedder()
    real = demo.build_services
    monkeypatch.setattr(demo, "build_services", lambda *a, **k: real(*a, **k, new_embedder=lambda name, **_: embedder))
    return embedder


def test_the_demo_indexes_searches_and_leaves_nothing(tmp_path, colours, monkeypatch, capsys):
    monkeypatch.setattr(demo.tempfile, "tempdir", str(tmp_path))
    with demo.throw_away_library(Settings()) as services:
        folder = services.library.folder
        assert folder.is_relative_to(tmp_path)
        assert demo.index_and_search(services)
        assert services.library.catalog.counts().photos >= demo.ENOUGH
    out, err = capsys.readouterr()
    assert str(folder.parent) in err
    assert "added" in out
    assert "the model 'colours' answers; 'picsift models list'" in err
    for query in (*demo.QUERIES, demo.BEYOND):
        _, _, after = out.partition(f"picsift search {query!r}\n")
        shown = after.splitlines()[: demo.SHOWN_HITS]
        assert [len(line.split("\t")) for line in shown] == [2] * demo.SHOWN_HITS
    assert list(tmp_path.iterdir()) == []


def test_the_demo_says_what_the_built_in_model_cannot_do_behind_a_query_that_shows_it(colours, capsys):
    colours.name = "builtin"
    with demo.throw_away_library(Settings()) as services:
        assert demo.index_and_search(services)
    out, err = capsys.readouterr()
    assert out.rindex("picsift search ") == out.index(f"picsift search {demo.BEYOND!r}")
    assert f"the last one is beyond the model that answers, 'builtin': {LIMITS}." in err


def test_the_library_goes_when_the_demo_is_interrupted(tmp_path, colours, monkeypatch):
    monkeypatch.setattr(demo.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), demo.throw_away_library(Settings()):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_persons_own_library_is_left_alone(tmp_path, colours):
    own = Settings(library=tmp_path / "own")
    with demo.throw_away_library(own) as services:
        assert services.settings.library != own.library
    assert not own.library.exists()


def test_with_one_package_missing_it_goes_on_and_says_how_to_get_more(colours, monkeypatch, capsys):
    monkeypatch.setattr(demo, "PHOTOS", {"nonesuch_package": ("a.png",), "gradio": demo.PHOTOS["gradio"]})
    with demo.throw_away_library(Settings()):
        pass
    assert "pip install scikit-image" in capsys.readouterr().err


def test_with_no_photos_at_all_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(demo, "PHOTOS", {"nonesuch_package": ("a.png",)})
    with pytest.raises(PicsiftError, match="pip install scikit-image"), demo.throw_away_library(Settings()):
        pass


def test_copies_bear_the_names_of_their_originals(tmp_path):
    count = demo.copy_photos(tmp_path / "photos")
    assert sorted(path.name for path in (tmp_path / "photos").iterdir()) == sorted(p.name for p in demo.find_photos())
    assert count == len(list(Path(tmp_path / "photos").iterdir()))
