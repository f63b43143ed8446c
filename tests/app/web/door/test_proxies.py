"""The page and the API behind nginx and Caddy, below a path: everything loads, searches are answered, streams flow.

Each runs with the lines of the README; nginx once with the path taken away before it passes a request on, once not.
"""

import dataclasses
import json
import re
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.app.chromium import CHROMIUM, WANTED, driving, launched
from tests.app.serving import picture, running

README = (Path(__file__).parents[4] / "README.md").read_text(encoding="utf-8")
NGINX = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
    fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{port};
{lines}
    }}
}}
"""
CADDY = """
{{
    admin off
    auto_https off
}}
http://photos.lan:{port} {{
        bind 127.0.0.1
{lines}
}}
"""
SESSION = "behind-a-proxy"


def lines_of(name):
    """What the README says for one proxy."""
    return re.search(rf"```{name}\n(.*?)```", README, re.DOTALL)[1]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def answers(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def proxy(kind, upstream, folder):
    """A proxy in front of `upstream` (host:port); yields its address."""
    name = kind.partition(" ")[0]
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if program is None:
        pytest.skip(f"needs {name} (Debian: apt-get install {name})")
    lines, port = lines_of(name).replace("127.0.0.1:7860", upstream), free_port()
    assert upstream in lines
    if kind == "nginx that keeps the path":
        assert f"proxy_pass http://{upstream}/;" in lines
        lines = lines.replace(f"http://{upstream}/;", f"http://{upstream};")
    folder.mkdir()
    config = folder / "config"
    config.write_text((NGINX if name == "nginx" else CADDY).format(folder=folder, port=port, lines=lines))
    command = {
        "nginx": [program, "-e", "stderr", "-c", str(config)],
        "caddy": [program, "run", "--adapter", "caddyfile", "--config", str(config)],
    }[name]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stderr=log, stdout=log, env=environment) as process,
    ):
        try:
            end = time.monotonic() + 60
            while not answers(port):
                assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module", params=["nginx", "nginx that keeps the path", "caddy"])
def client(request, tmp_path_factory, standing):
    """Sends to the proxy, by a name that only the proxy knows; its address is that of the page."""
    folder = tmp_path_factory.mktemp("proxies")
    behind = {"root_path": "/photos", "trusted_proxy": ("127.0.0.1",)}
    services = dataclasses.replace(standing, settings=standing.settings.model_copy(update=behind))
    with (
        pytest.MonkeyPatch.context() as patch,
        running(services, patch, folder) as address,
        proxy(request.param, urlsplit(address).netloc, folder / "proxy") as front,
    ):
        name = f"photos.lan:{front.rpartition(':')[2]}"
        headers = {"Host": name, "Origin": f"http://{name}"}
        with httpx.Client(base_url=f"http://{front}/photos/", headers=headers, timeout=60, verify=False) as client:
            yield client


@pytest.fixture(scope="module")
def chromium():
    """One for all proxies."""
    with launched(["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP photos.lan 127.0.0.1"]) as chromium:
        yield chromium


@pytest.fixture
def browser(chromium):
    with driving(chromium) as browser:
        yield browser


class Links(HTMLParser):
    """What a page loads, as it names it."""

    def __init__(self):
        super().__init__()
        self.base, self.found = "./", []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "base":
            self.base = values["href"]
        if tag in ("script", "img") and values.get("src"):
            self.found.append(values["src"])
        if tag == "link" and values.get("href") and values.get("rel") in ("stylesheet", "icon", "modulepreload"):
            self.found.append(values["href"])


def configuration(page):
    return json.loads(page.split("window.gradio_config = ")[1].split(";</script>")[0])


def test_the_page_and_what_it_loads_lie_below_the_path(client):
    page = client.get("").text
    root = configuration(page)["root"]
    assert urlsplit(root).path == "/photos"
    assert urlsplit(root).netloc == client.headers["Host"]
    links = Links()
    links.feed(page)
    here = f"{root}/"
    loaded = [urljoin(urljoin(here, links.base), link) for link in links.found]
    script = re.search(r"\$\{rootPath\}(/static/[^`]+)`", page)[1]
    loaded += [f"{root}/config", f"{root}/theme.css", root + script]
    assert len(loaded) >= 5
    for link in loaded:
        address = urlsplit(urljoin(here, link))
        assert address.path.startswith("/photos/"), link
        assert client.get(address.path.removeprefix("/photos/")).status_code == 200, link


def test_the_path_without_its_slash_leads_to_the_page(client):
    moved = client.get(str(client.base_url).rstrip("/"))
    assert moved.status_code in (301, 302, 307, 308)
    assert urlsplit(moved.headers["location"]).path == "/photos/"


def test_the_api_answers_below_the_path(client):
    found = client.get("api/v1/search", params={"q": "green"}).json()
    assert found["total"] == 5
    sent = client.post("api/v1/search", files={"file": ("green.png", picture("green"))})
    assert sent.status_code == 200
    described = client.get("openapi.json").json()
    assert {"url": "/photos"} in described["servers"]


def test_a_search_is_answered_and_its_thumbnails_load(client):
    config = configuration(client.get("").text)
    (number,) = (one["id"] for one in config["components"] if "ask" in one["props"].get("server_fns", ()))
    body = {"component_id": number, "fn_name": "ask", "session_hash": SESSION, "data": {"question": {"q": "green"}}}
    answer = client.post("gradio_api/component_server/", json=body)
    assert answer.status_code == 200
    links = Links()
    links.feed(answer.json()["grid"])
    assert len(links.found) == 5
    for link in links.found:
        assert not link.startswith(("/", "http"))
        assert client.get(link).headers["content-type"] == "image/webp"


def test_a_stream_arrives_before_it_ends(client):
    with client.stream("GET", "gradio_api/heartbeat/another") as stream:
        assert stream.status_code == 200
        assert next(stream.iter_raw())  # it never ends by itself


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason=WANTED)
def test_a_browser_finds_photos_below_the_path(client, browser):
    page = browser.new_page()
    asked = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(f"http://{client.headers['Host']}/photos/")
    page.fill("#words input", "green")
    page.click("#go")
    page.wait_for_selector("#grid .tile img")
    page.wait_for_function("[...document.querySelectorAll('#grid .tile img')].every((image) => image.naturalWidth)")
    assert page.locator("#grid .tile").count() == 5
    page.close()
    assert {urlsplit(url).path[:8] for url in asked if url.startswith("http")} == {"/photos/"}
