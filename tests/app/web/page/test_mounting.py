"""The page beside the API."""

from app.web.page.quiet_gradio import gradio
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
