"""The page: lays out Gradio's components and connects them to the services. It searches and renders nothing itself.

`browsing.py` asks the services; `gallery.py` and `viewer.py` write the HTML; assets/ holds the style and the script.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from fastapi import FastAPI

from app.bootstrap import Services
from app.web.door.security import MAX_BODY_BYTES
from app.web.page import browsing, gallery
from app.web.page.browsing import Fields, Shown
from app.web.page.markup import safe
from app.web.page.quiet_gradio import gradio as gr
from app.web.page.theme import THEME
from app.web.page.viewer import viewer
from indexer.errors import PicsiftError
from indexer.watching.activity import read_activity

P = ParamSpec("P")
R = TypeVar("R")
Updates = dict[Any, Any]  # component -> its new value
Typed = str | None  # what stands in a field

ASSETS = Path(__file__).parent / "assets"
SHOWN_KEPT_S = 24 * 3600
LOOKED_AT_S = 3.0  # between two looks at what is being indexed
HIDDEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

# Each runs in its component's element and tells Python which photo or which button was meant.
GRID_JS = "window.picsift.grid(element, (id) => trigger('select', {photo_id: id}));"
VIEWER_JS = (
    "const tell = (what) => (id) => trigger(what, {photo_id: id});"
    "window.picsift.viewer(element, props, watch, tell('select'), tell('expand'));"
)
PICTURE_JS = "window.picsift.picture(element, (token) => trigger('upload', {token}));"
ASKED_JS = "element.addEventListener('click', (event) => event.target.closest('[data-clear]') && trigger('clear'));"


@dataclass(frozen=True)
class Parts:
    """The page's components, by name; `shown` holds a Shown or None."""

    words: gr.Textbox
    picture: gr.HTML
    search: gr.Button
    after: gr.Textbox
    before: gr.Textbox
    folder: gr.Textbox
    place: gr.Textbox
    asked: gr.HTML
    summary: gr.HTML
    grid: gr.HTML
    more: gr.Button
    large: gr.HTML
    shown: gr.State
    now: gr.HTML
    clock: gr.Timer


def build_ui(services: Services) -> gr.Blocks:
    """The page over these services; `mount` serves it with its style and script."""
    page = gr.Blocks(title="picsift", analytics_enabled=False, fill_width=True)
    with page:
        parts = lay_out()
        _connect(page, parts, Actions(services, parts))
    return page


def mount(api: FastAPI, page: gr.Blocks) -> FastAPI:
    """The page at /, beside the API; it may serve no file but its own."""
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
        css_paths=[ASSETS / "page.css"],
        head=f"<script>{(ASSETS / 'page.js').read_text(encoding='utf-8')}</script>",
        favicon_path=str(ASSETS / "favicon.png"),
    )
    page.has_launched = True  # else Gradio takes any path that a client names; `mount_gradio_app` leaves it unset
    return mounted


def explained(action: Callable[P, R]) -> Callable[P, R]:
    """Show a PicsiftError as a message on the page instead of failing."""

    @functools.wraps(action)
    def explaining(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return action(*args, **kwargs)
        except PicsiftError as error:
            raise gr.Error(_sentence(error), print_exception=False) from error

    return explaining


@dataclass(frozen=True)
class Actions:
    """What happens on the page: each asks the services once and says which components change."""

    services: Services
    parts: Parts

    @explained
    def start(self) -> Updates:
        """The page as it opens, and after everything was cleared."""
        library = self.services.library
        greeting = gallery.welcome(library.catalog.counts().photos, library.folder)
        return self._cleared() | {self.parts.grid: greeting}

    @explained
    def search(
        self, words: Typed, after: Typed, before: Typed, folder: Typed, place: Typed, shown: Shown | None
    ) -> Updates:
        """Search for the words, and for the picture if one was dropped in."""
        sample = shown.sample if shown else None
        return self._render(browsing.ask(self.services, Fields(words, after, before, folder, place), sample))

    @explained
    def drop(
        self, words: Typed, after: Typed, before: Typed, folder: Typed, place: Typed, event: gr.EventData
    ) -> Updates:
        """Search for a picture that was dropped in, and is known by a token by now."""
        fields, token = Fields(words, after, before, folder, place), getattr(event, "token", None)
        return self._render(browsing.ask_with(self.services, fields, token))

    @explained
    def clear(self, words: Typed, after: Typed, before: Typed, folder: Typed, place: Typed) -> Updates:
        """Take the picture away: what remains are the words, if there are any."""
        if not (words or "").strip():
            return self.start()
        return self._render(browsing.ask(self.services, Fields(words, after, before, folder, place)))

    @explained
    def like(self, after: Typed, before: Typed, folder: Typed, place: Typed, event: gr.EventData) -> Updates:
        """Search for photos like the one that is open."""
        fields = Fields("", after, before, folder, place)
        return self._render(browsing.ask_like(self.services, fields, event.photo_id)) | {self.parts.words: ""}

    @explained
    def more(self, shown: Shown | None) -> Updates:
        """Add the next page of hits."""
        return self._render(browsing.ask_more(self.services, shown))

    def now(self) -> str:
        """What is being indexed at this moment."""
        return gallery.activity_line(read_activity(self.services.library.folder))

    @explained
    def enlarge(self, shown: Shown | None, event: gr.EventData) -> str:
        """Open one photo, or a video at the moment that was found."""
        photo = browsing.find(self.services, event.photo_id)
        frame, moment_s = browsing.frame_of(shown, photo)
        return viewer(photo, *browsing.around(self.services, photo), frame=frame, moment_s=moment_s)

    def _render(self, shown: Shown) -> Updates:
        parts = self.parts
        return {
            parts.shown: shown,
            parts.asked: gallery.asked_picture(shown),
            parts.summary: gallery.summary(shown),
            parts.grid: gallery.tiles(shown.hits) if shown.hits else gallery.nothing_found(shown),
            parts.more: gr.update(visible=shown.has_more),
        }

    def _cleared(self) -> Updates:
        parts = self.parts
        return {parts.shown: None, parts.asked: "", parts.summary: "", parts.more: gr.update(visible=False)}


def lay_out() -> Parts:
    """Place the components, top to bottom; call it within a Blocks."""
    gr.HTML('<header class="brand"><h1>picsift</h1></header>', elem_id="brand")
    with gr.Column(elem_id="ask"):
        with gr.Row(elem_id="bar"):
            words = _textbox("Search your photos", "Search your photos", elem_id="words", autofocus=True)
            button = gallery.picture_button(MAX_BODY_BYTES)
            picture = gr.HTML(button, js_on_load=PICTURE_JS, elem_id="picture", apply_default_css=False, min_width=0)
            search = gr.Button("Search", variant="primary", elem_id="go", min_width=0, scale=0)
        with gr.Accordion("Filters", open=False, elem_id="filters"), gr.Row():
            after = _textbox("Taken from", "2021, 2021-06 or 2021-06-30", elem_id="after", show_label=True)
            before = _textbox("Taken before", "2022", elem_id="before", show_label=True)
            folder = _textbox("Folder", "Holiday/Beach", elem_id="folder", show_label=True)
            place = _textbox("Place", "Lisbon, Portugal", elem_id="place", show_label=True)
    now = gr.HTML(elem_id="now", apply_default_css=False)
    asked = gr.HTML(js_on_load=ASKED_JS, elem_id="asked", apply_default_css=False)
    summary = gr.HTML(elem_id="summary", apply_default_css=False)
    grid = gr.HTML(js_on_load=GRID_JS, elem_id="grid", apply_default_css=False)
    more = gr.Button("More results", visible=False, elem_id="more")
    large = gr.HTML(js_on_load=VIEWER_JS, elem_id="large", apply_default_css=False)
    shown = gr.State(None, time_to_live=SHOWN_KEPT_S)
    clock = gr.Timer(LOOKED_AT_S)
    searched = (words, picture, search, after, before, folder, place)
    return Parts(*searched, asked, summary, grid, more, large, shown, now, clock)


def _textbox(label: str, placeholder: str, *, show_label: bool = False, **kwargs: Any) -> gr.Textbox:
    frame: dict[str, Any] = {"show_label": show_label, "container": show_label}
    return gr.Textbox(value="", label=label, placeholder=placeholder, max_lines=1, **frame, **kwargs)


def _connect(page: gr.Blocks, parts: Parts, actions: Actions) -> None:
    """Say what each event does, and which components it changes."""
    beside = [parts.after, parts.before, parts.folder, parts.place]
    fields = [parts.words, *beside]
    waiting = {**HIDDEN, "show_progress": "full", "show_progress_on": parts.summary}
    results = [parts.shown, parts.asked, parts.summary, parts.grid, parts.more]
    page.load(actions.start, None, results, **HIDDEN)
    gr.on([page.load, parts.clock.tick], actions.now, None, parts.now, **HIDDEN)
    gr.on(
        [box.submit for box in (parts.words, *beside)] + [parts.search.click],
        actions.search,
        [*fields, parts.shown],
        results,
        **waiting,
    )
    parts.picture.upload(actions.drop, fields, results, **waiting)
    parts.asked.clear(actions.clear, fields, results, **HIDDEN)
    parts.more.click(actions.more, parts.shown, results, **HIDDEN)
    parts.grid.select(actions.enlarge, parts.shown, parts.large, **HIDDEN)
    parts.large.expand(actions.enlarge, parts.shown, parts.large, **HIDDEN)
    parts.large.select(actions.like, beside, [*results, parts.words], **waiting)


def _sentence(error: PicsiftError) -> str:
    """The error's message as HTML, with a capital unless a filter's name comes first."""
    message = str(error)
    return safe(message if message.partition(" ")[0].endswith(":") else message[:1].upper() + message[1:])
