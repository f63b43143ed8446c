"""What other programs show of a link to the page."""

from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from app.web.page.link_preview import name_links
from app.web.page.quiet_gradio import gradio
from app.web.server import build_app
from tests.app.serving import in_loop


class Head(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.said, self.title, self._in_title = {}, [], False
        self.feed(text.partition("</head>")[0])

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self._in_title = tag == "title"
        if tag == "meta" and "content" in attrs:
            self.said.setdefault(attrs.get("property") or attrs.get("name"), []).append(attrs["content"])

    def handle_data(self, data):
        if self._in_title:
            self.title.append(data.strip())


@pytest.fixture
def page(services):
    with TestClient(in_loop(build_app, services), base_url="http://localhost") as client:
        return client.get("/").text


def test_a_link_says_picsift_once_and_gradio_never(page):
    head = Head(page)
    assert "".join(head.title) == "picsift"
    for name in ("og:title", "og:site_name", "twitter:title"):
        assert head.said[name] == ["picsift"]
    assert "Search your own photos" in head.said["og:description"][0]
    told = [text for texts in head.said.values() for text in texts]
    assert not [text for text in told if "radio" in text or "http" in text]
    assert "viewport" in head.said


def test_the_template_is_changed_once(page):
    env = gradio.routes.templates.env
    loader = env.loader
    name_links()
    assert env.loader is loader
