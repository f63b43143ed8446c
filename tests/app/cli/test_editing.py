"""`picsift edit`: what a person gives photos is found, stays, is handed on, and can be taken back."""

import json
import os

import pytest
from typer.testing import CliRunner

from app import bootstrap
from app.cli import commands as cli
from app.tagging.xmp.merge import described
from tests.app.colours import World
from tests.app.tagging.export.test_export_service import describe


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = World(tmp_path)
    for name in ("red", "green"):
        world.write(f"{name}.jpg", name)
    describe(world.photos / "red.jpg", "its own")  # four stars, and this description
    os.utime(world.photos / "red.jpg", (0, 0))
    world.index()
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))
    monkeypatch.setitem(bootstrap.build_services.__kwdefaults__, "new_embedder", world._new_embedder)
    return world


def run(*arguments):
    done = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def found(*query):
    status, out, err = run("search", *query, "--json")
    assert status == 0, err
    return {os.path.basename(hit["path"]) for hit in json.loads(out)["hits"]}  # noqa: PTH119


def photo(world, name="red.jpg"):
    return world.services().library.catalog.photo_at(world.photos / name)


def test_filters_and_words_find_what_was_given(world):
    red, green = world.photos / "red.jpg", world.photos / "green.jpg"
    assert run("edit", green, "--rating", 3, "--title", "At the quay", "--description", "Zwei\nZeilen")[0] == 0
    assert found("rating:3") == {"green.jpg"}
    assert found("text:quay") == found("text:zeilen") == {"green.jpg"}
    assert run("edit", red, green, "--favourite")[0] == 0
    assert found("is:favourite") == {"red.jpg", "green.jpg"}
    assert run("edit", red, "--no-favourite")[0] == 0
    assert (found("is:favourite"), photo(world).rating) == ({"green.jpg"}, 0)


def test_no_favourite_leaves_other_stars(world):
    assert run("edit", world.photos / "red.jpg", "--no-favourite")[0] == 0
    assert photo(world).rating == 4


def test_a_later_run_of_the_indexer_leaves_it(world):
    path = world.photos / "red.jpg"
    run("edit", path, "--rating", 2, "--description", "given")
    describe(path, "changed since")
    os.utime(path, (2e9, 2e9))
    world.index()
    assert (photo(world).rating, photo(world).description) == (2, "given")
    path.write_bytes((world.photos / "green.jpg").read_bytes())
    world.index()
    assert (photo(world).rating, photo(world).description) == (2, "given")


def test_what_the_file_says_counts_again_when_it_is_taken_back(world):
    path = world.photos / "red.jpg"
    run("edit", path, "--rating", 2, "--description", "given", "--title", "T")
    assert run("edit", path, "--forget")[0] == 0
    red = photo(world)
    assert (red.rating, red.title, red.description) == (4, None, "its own")
    assert found("text:given") == set()
    assert world.index().updated == 0


def test_what_cannot_be_read_is_not_taken_back(world):
    path = world.photos / "red.jpg"
    run("edit", path, "--rating", 2)
    path.rename(path.with_suffix(".away"))
    status, _, err = run("edit", path, "--forget")
    assert (status, "cannot be read" in err, photo(world).rating) == (1, True, 2)


def test_an_export_hands_it_on_without_a_tag(world):
    run("edit", world.photos / "green.jpg", "--favourite", "--title", "T")
    assert run("export")[0] == 0
    said = described((world.photos / "green.jpg.xmp").read_bytes())
    assert (said.tags, said.rating, said.title) == ((), 5, "T")
    assert not (world.photos / "red.jpg.xmp").exists()
    assert world.index().updated == 0


@pytest.mark.parametrize(
    "options", [[], ["--forget", "--rating", "1"], ["--rating", "6"], ["--rating", "5", "--favourite"]]
)
def test_wishes_that_say_nothing_or_too_much_are_wrong_usage(world, options):
    assert run("edit", world.photos / "red.jpg", *options)[0] == 2


@pytest.mark.parametrize("options", [["--title", "  "], ["--title", "x" * 201], ["--description", "x" * 5001]])
def test_texts_that_cannot_stand_there_are_refused_in_a_sentence(world, options):
    status, _, err = run("edit", world.photos / "red.jpg", *options)
    assert (status, len(err.splitlines())) == (1, 1)


def test_it_says_how_much_is_new(world):
    path = world.photos / "red.jpg"
    assert json.loads(run("edit", path, "--rating", 1, "--json")[1]) == {"photos": 1, "changed": 1}
    assert json.loads(run("edit", path, "--rating", 1, "--json")[1]) == {"photos": 1, "changed": 0}
