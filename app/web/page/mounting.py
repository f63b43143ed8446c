"""Puts the page beside the API, with its style and scripts, and Gradio where it does no harm. It lays out nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount

from app.web import problems
from app.web.page import tools
from app.web.page.link_preview import name_links
from app.web.page.quiet_gradio import gradio as gr
from app.web.page.theme import THEME

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("asking.js", "remembering.js", "viewing.js", "page.js", *tools.SCRIPTS)


def mount(api: FastAPI, page: gr.Blocks) -> FastAPI:
    """The page at /, beside the API; it may serve no file but its own."""
    name_links()
    mounted: FastAPI = gr.mount_gradio_app(
        api,
        page,
        path="/",
        allowed_paths=[],
        footer_links=[],
        run_history=False,
        show_error=True,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        theme=THEME,
        css_paths=[ASSETS / "page.css", ASSETS / tools.STYLE],
        head="".join(f"<script>{(ASSETS / name).read_text(encoding='utf-8')}</script>" for name in SCRIPTS),
        favicon_path=str(ASSETS / "favicon.png"),
    )
    for route in mounted.routes:
        if isinstance(route, Mount) and isinstance(route.app, gr.routes.App):
            problems.install(route.app)
            page.app = route.app  # the one that answers: it was laid out with none
    page.has_launched = True  # else Gradio takes any path that a client names; `mount_gradio_app` leaves it unset
    # No event of the page runs Python, and Gradio would look a thousand times a second whether one waits.
    page._queue.start = lambda: None  # type: ignore[method-assign]
    return mounted


@contextmanager
def made_in(folder: Path | None) -> Iterator[None]:
    """While the block runs, have Gradio make what it makes in `folder`, for None in its own.

    It takes note of that when it is imported, and it is one for all users of the machine: the first one's, who can keep
    the others from starting.
    """
    routes: Any = gr.routes
    before = routes.DEFAULT_TEMP_DIR
    routes.DEFAULT_TEMP_DIR = before if folder is None else str(folder)
    try:
        yield
    finally:
        routes.DEFAULT_TEMP_DIR = before
