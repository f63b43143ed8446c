"""Five photos that many tests look at and none changes: the services over them and the API stand for a whole module."""

import shutil

import pytest
from starlette.testclient import TestClient

from app.web.api import build_api
from app.web.door.security import Gate
from tests.app.colours import OPENED, World


@pytest.fixture(scope="module")
def standing(tmp_path_factory, indexed, five):
    """For tests that change nothing, in place of `services`; a decoding process would stay with it, too."""
    world = World(tmp_path_factory.mktemp("standing"))
    shutil.copytree(five, world.photos, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.bootstrap._plain_names", lambda: ())
        services = world.services_over_a_copy(indexed)
    OPENED.remove(services)  # they outlive the test that is the first to ask for them
    yield services
    services.close()


@pytest.fixture(scope="module")
def reader(standing):
    """A client of theirs, on this machine."""
    with TestClient(Gate(build_api(standing)), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client
