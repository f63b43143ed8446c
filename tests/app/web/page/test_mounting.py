"""The page beside the API."""

import pytest

from app.web.page.quiet_gradio import gradio, unserved
from app.web.server import build_app
from tests.app.serving import in_loop


def test_what_gradio_makes_lies_in_the_servers_folder(services, tmp_path, monkeypatch):
    """Its own is one of all users of a machine: the first one's, who could keep the others from starting."""
    others, own = tmp_path / "others", tmp_path / "own"
    others.write_text("nobody else may make a folder here")
    own.mkdir()
    monkeypatch.setattr(gradio.routes, "DEFAULT_TEMP_DIR", str(others))
    in_loop(build_app, services, folder=own)
    assert str(others) == gradio.routes.DEFAULT_TEMP_DIR


def test_gradio_makes_one_application_which_is_the_pages(services, monkeypatch):
    """It makes another each time that a page is begun or laid out, which a start would wait for."""
    made, make = [], gradio.routes.App.create_app

    def create_app(page, *args, **kwargs):
        made.append((page, make(page, *args, **kwargs)))
        return made[-1][1]

    monkeypatch.setattr(gradio.routes.App, "create_app", staticmethod(create_app))
    in_loop(build_app, services)
    ((page, app),) = made
    assert page.app is app


def test_where_no_page_is_begun_gradio_is_as_it_was():
    with pytest.raises(ZeroDivisionError), unserved():
        assert gradio.blocks.App is not gradio.routes.App
        raise ZeroDivisionError
    assert gradio.blocks.App is gradio.routes.App
