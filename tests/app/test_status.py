"""The library's state, read from the real thing."""

import pytest

from app.bootstrap import build_services
from app.settings import Settings
from app.status import document, read_status
from tests.app.colours import ColourEmbedder, World


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.write("red.png", "red")
    world.write("sub/blue.png", "blue")
    return world


def test_photos_failures_and_folders_are_counted(world):
    (world.photos / "bad.jpg").write_bytes(b"no picture")
    world.index()
    status = read_status(world.services())
    assert (status.photos, status.failed, status.missing) == (2, 1, 0)
    assert [(root.path, root.photos) for root in status.roots] == [(world.photos, 2)]
    assert [path.name for path, _ in status.failures] == ["bad.jpg"]
    assert (status.index.vectors, status.index.kind, status.index.device) == (2, "flat-fp16", "cpu")
    assert status.index.bytes > 0
    assert status.problems == []


def test_an_empty_library_shows_the_model_that_would_be_used(world):
    world.embedders["builtin"] = ColourEmbedder(name="builtin")
    status = read_status(world.services())
    assert (status.photos, status.index.vectors, status.model.name) == (0, 0, "builtin")
    assert any("picsift index FOLDER" in problem for problem in status.problems)


def test_a_model_that_is_gone_is_a_problem_and_the_rest_is_still_told(world):
    world.index()
    world.embedders.clear()
    status = read_status(world.services())
    assert (status.photos, status.model.name, status.index.vectors) == (2, "colours", 2)
    (problem,) = status.problems
    assert "embedded with the model 'colours', which cannot be used: no model is called 'colours'." in problem


def test_a_model_that_changed_is_a_problem(world):
    world.index()
    world.embedders["colours"] = ColourEmbedder(fingerprint="ee" * 32)
    assert ["picsift index --model colours" in problem for problem in read_status(world.services()).problems] == [True]


def test_a_folder_that_is_gone_is_a_problem(world):
    world.index()
    world.photos.rename(world.photos.with_name("elsewhere"))
    world.index()
    status = read_status(world.services())
    assert status.photos == 2
    assert any(str(world.photos) in problem for problem in status.problems)


def test_an_index_in_lists_says_how_many_it_looks_into_and_what_they_hold(world):
    world.settings = world.settings.model_copy(update={"exact_up_to": 1})
    world.index()
    services = world.services()
    assert read_status(services).index.kind == "flat-fp16"
    services.search.warm_up()
    services.search.live.index(services.search.live.model())._training.wait()
    index = read_status(services).index
    assert (index.kind, index.vectors, index.lists > 0, 0 <= index.probes <= index.lists) == ("ivf-fp16", 2, True, True)
    assert 0.99 <= index.recall <= 1
    held = services.search.live.index(services.search.live.model())
    held.close()  # nothing is trained anew
    held._rows.lists.trained = 3
    index = read_status(services).index
    assert (index.kind, index.lists) == ("flat-fp16", 0)
    assert document(read_status(world.services()))["index"]["kind"] == "flat-fp16"  # a command searches exactly


def test_the_precision_is_the_one_that_the_model_runs_in(tmp_path):
    """The built-in model is made of convolutions."""
    status = read_status(
        build_services(Settings(library=tmp_path / "library", device="cpu", precision="int8"), create=True)
    )
    assert status.precision in ("fp32", "bf16")
    assert not any("int8" in problem for problem in status.problems)
