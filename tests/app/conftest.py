"""A library of five photos, each of one colour, and the services over it."""

import shutil
from datetime import datetime

import pytest

from tests.app.colours import OPENED, World


@pytest.fixture(autouse=True)
def no_processes_left():
    """End the processes, and the timers, that the services of a test have started."""
    yield
    while OPENED:
        services = OPENED.pop()
        services.decoder.close()
        services.dropped.close()


@pytest.fixture(autouse=True)
def relevance_is_unknown(request, monkeypatch):
    """Plain colours and random weights tell no relevance; tests about it are marked `relevance`."""
    if request.node.get_closest_marker("relevance") is None:
        monkeypatch.setattr("app.bootstrap._plain_names", lambda: ())
        monkeypatch.setenv("PICSIFT_MIN_RELEVANCE", "0")  # for processes that are started


@pytest.fixture(scope="session")
def five(tmp_path_factory):
    """The five photos, drawn once and copied for each test."""
    world = World(tmp_path_factory.mktemp("five"))
    world.write("red.png", "red")
    world.write("green.png", "green")
    world.write("blue.png", "blue")
    world.write("trip/yellow.jpg", "yellow", datetime(2021, 7, 4, 10, 11, 12))
    world.write("trip/purple.jpg", "purple", datetime(2019, 1, 1, 8, 0, 0))
    return world.photos


@pytest.fixture
def world(tmp_path, five):
    world = World(tmp_path)
    shutil.copytree(five, world.photos, dirs_exist_ok=True)
    return world


@pytest.fixture(scope="session")
def indexed(tmp_path_factory, five):
    """Such a world after a run: indexed once, and copied for each test."""
    world = World(tmp_path_factory.mktemp("indexed"))
    shutil.copytree(five, world.photos, dirs_exist_ok=True)
    world.index()
    return world


@pytest.fixture
def services(world, indexed):
    return world.take_over(indexed)
