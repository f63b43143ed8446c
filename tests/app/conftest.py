"""A library of five photos, each of one colour, and the services over it."""

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


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.write("red.png", "red")
    world.write("green.png", "green")
    world.write("blue.png", "blue")
    world.write("trip/yellow.jpg", "yellow", datetime(2021, 7, 4, 10, 11, 12))
    world.write("trip/purple.jpg", "purple", datetime(2019, 1, 1, 8, 0, 0))
    return world


@pytest.fixture
def services(world):
    world.index()
    return world.services()
