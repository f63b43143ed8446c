"""The server as a person starts and stops it."""

import asyncio
import gc
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from app.web.door.connections import Patience
from app.web.server import ServerError, _warm_up, build_app, make_server, serve
from indexer.errors import LibraryError
from tests.app.serving import announced, in_loop, running

SERVE = """
import signal
import sys
from pathlib import Path
from app.bootstrap import build_services
from app.cli.terminal.exits import cleanup_on_sigterm
from app.web.server import serve
from app.settings import Settings
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background has it ignored
try:
    with cleanup_on_sigterm():
        serve(build_services(Settings(library=Path(sys.argv[1])), create=True), port=0)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def status_of(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_it_says_where_it_answers_and_ctrl_c_ends_it_though_a_page_is_open(tmp_path):
    command = [sys.executable, "-c", SERVE, str(tmp_path / "library")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        address = announced(process)
        assert status_of(address + "/api/v1/health") == 200
        assert status_of(address) == 200
        stream = urllib.request.urlopen(address + "/gradio_api/heartbeat/abc", timeout=30)  # as an open page holds
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        stream.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        process.stdout.close()


def test_a_port_in_use_is_a_sentence(standing):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {port} on 127.0.0.1 cannot be used: address already in use"):
            serve(standing, "127.0.0.1", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_need_a_password(standing, host):
    with pytest.raises(ServerError, match="PICSIFT_PASSWORD"):
        serve(standing, host, 0)


def test_a_host_that_is_no_address_is_a_sentence(standing):
    with pytest.raises(ServerError, match="no address"):
        serve(standing, "no such host", 0)


@pytest.fixture(scope="module")
def address(standing, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, running(standing, patch, tmp_path_factory.mktemp("run")) as address:
        yield address


def test_a_long_query_gets_its_sentence(address):
    request = f"{address}/api/v1/search?q={'x' * 100_000}"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as answer:
        assert answer.code == 400
        assert b"100,000 characters" in answer.read()


def test_no_other_name_and_no_other_site_is_answered(address):
    assert status_of(address, Host="evil.example") == 400
    assert status_of(address, Origin="https://evil.example") == 403
    assert status_of(address + "/gradio_api/info", Origin="https://evil.example") == 403


@pytest.mark.parametrize("route", ["file=/etc/passwd", "file=..%2F..%2Fetc%2Fpasswd", "file=/proc/self/environ"])
def test_the_page_serves_no_file_of_this_machine(address, route):
    assert status_of(f"{address}/gradio_api/{route}") in (403, 404)


def test_the_page_serves_neither_catalog_nor_photos_by_path(address, standing):
    (photos,) = (root.path for root in standing.library.catalog.roots())
    for path in (standing.library.folder / "catalog.db", photos / "red.png"):
        assert path.is_file()
        assert status_of(f"{address}/gradio_api/file={path}") in (403, 404)


def test_the_password_guards_page_streams_and_api_alike(standing):
    with TestClient(in_loop(build_app, standing, password="secret"), base_url="http://photos.lan") as client:
        for path in ("/", "/api/v1/health", "/openapi.json", "/config", "/gradio_api/app_id", "/theme.css"):
            assert client.get(path).status_code == 401, path
            assert client.get(path, auth=("me", "secret")).status_code == 200, path


def test_the_page_names_no_other_host(standing):
    with TestClient(in_loop(build_app, standing), base_url="http://localhost") as client:
        page = client.get("/").text
        assert not re.findall(r"<(?:script|link)[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*", page)
        assert "fonts.googleapis" not in page + client.get("/theme.css").text


@pytest.mark.parametrize("error", [None, LibraryError("there is no photo yet")])
def test_no_look_for_garbage_passes_what_a_server_that_answers_has_loaded(monkeypatch, error):
    steps = []

    def load():
        steps.append("loaded")
        if error:
            raise error

    monkeypatch.setattr(gc, "freeze", lambda: steps.append("settled"))
    answering = threading.Event()
    monkeypatch.setattr(answering, "wait", lambda: steps.append("answers"))
    _warm_up(SimpleNamespace(search=SimpleNamespace(warm_up=load)), answering, lambda: steps.append("told"))
    assert steps == ["loaded", "answers", "settled", "told"]


def test_that_a_stream_was_cut_is_no_news_in_whatever_form(caplog):
    """A second Ctrl-C ends what runs beside the requests, of which uvicorn is told the text of the error alone."""
    make_server(None, Patience())
    log = logging.getLogger("uvicorn.error")
    log.error("Traceback (most recent call last):\n  ...\nasyncio.exceptions.CancelledError\n")
    try:
        raise asyncio.CancelledError
    except asyncio.CancelledError as error:
        log.error("Exception in ASGI application\n", exc_info=error)
    log.error("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]
