"""A client of the API, as a browser on this machine is one, and the work that it started."""

import pytest
from starlette.testclient import TestClient

from app.web.api import build_api
from app.web.door.security import Gate


@pytest.fixture
def api(services, tmp_path):
    (tmp_path / "of-the-server").mkdir()
    return build_api(services, folder=tmp_path / "of-the-server")


@pytest.fixture
def client(api):
    with TestClient(Gate(api), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def ended(api, client):
    """Ask how far a piece of work is, once it has ended."""

    def ask(route):
        api.state.jobs.wait(60)
        return client.get(route).json()

    return ask
