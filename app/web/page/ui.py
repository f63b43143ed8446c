"""The page: lays out Gradio's components, and offers the functions that its script calls. It renders nothing itself.

`browsing.py` asks the services; `gallery.py` and `viewer.py` write the HTML; assets/ holds the style and the scripts.
A call's answer goes to the script and to no component: the script alone knows whether it is still waited for.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec

from app.bootstrap import Services
from app.printable import printable
from app.search.language.spots import excerpt, spot_of
from app.search.paging.asked import CursorGoneError
from app.web.door.security import MAX_BODY_BYTES
from app.web.page import browsing, gallery, groups, tools
from app.web.page.browsing import PhotoGoneError, Shown
from app.web.page.chips import chips
from app.web.page.following import Now, PhotoCount
from app.web.page.question import Question
from app.web.page.quiet_gradio import gradio as gr
from app.web.page.quiet_gradio import unserved
from app.web.page.viewer import viewer
from indexer.errors import PicsiftError
from indexer.watching.activity import read_activity

P = ParamSpec("P")
Answer = dict[str, Any]  # what the script is told; HTML, but for "trouble" and the parts of "spot", which are text
GONE = (
    "What follows is not known any more: picsift was started anew, has another model by now, or was asked so much "
    "since. Search again."
)
SHOWN = 160  # characters of a query around what is wrong in it

# Each runs in its component's element.
PICTURE_JS = "window.picsift.picture(element);"
ANSWERS_JS = "window.picsift.begin(element, server);"
ANSWERS = """
<div id="now"></div>
<div id="chips"></div>
<div id="asked"></div>
<div id="summary" role="status"></div>
<label id="least" hidden>Match at least <input type="range" min="0" max="1" step="0.05"><output></output></label>
<p id="since" role="status"></p>
<div id="grid" tabindex="-1"></div>
<p id="beyond"></p>
<button type="button" id="more" hidden>More results</button>
<div id="large"></div>
"""
BESIDE = {
    "after": ("Taken from", "2021 or 2021-06"),
    "before": ("Taken before", "2022"),
    "folder": ("Folder", "Holiday/Beach"),
    "place": ("Place", "Lisbon, Portugal"),
}
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
SUBMIT_JS = "() => window.picsift.submit()"
START_JS = "() => window.picsift.start()"


def build_ui(services: Services) -> gr.Blocks:
    """The page over these services; `mounting.py` serves it with its style and scripts."""
    with unserved():
        page = gr.Blocks(title="picsift", analytics_enabled=False, fill_width=True)
        with page:
            asking = lay_out(Actions(services, PhotoCount(services.library.catalog)))
            page.load(None, js=START_JS, **QUIET)
            gr.on(asking, None, js=SUBMIT_JS, **QUIET)
    return page


def offered(page: gr.Blocks) -> frozenset[tuple[int, str]]:
    """What the page's script may call: the number of a component, and the name of a function that it offers."""
    components = page.blocks.items()
    return frozenset((number, call.__name__) for number, one in components for call in getattr(one, "server_fns", ()))


def explained(action: Callable[P, Answer]) -> Callable[P, Answer]:
    """Answer a PicsiftError with its message instead of failing."""

    @functools.wraps(action)
    def explaining(*args: P.args, **kwargs: P.kwargs) -> Answer:
        try:
            return action(*args, **kwargs)
        except CursorGoneError:
            return {"trouble": GONE, "gone": True}
        except PhotoGoneError as error:
            return {"trouble": _sentence(error), "gone": True}
        except PicsiftError as error:
            spot = spot_of(error)
            return {"trouble": _sentence(error), **({"spot": list(excerpt(spot, SHOWN))} if spot else {})}

    return explaining


@dataclass(frozen=True)
class Actions:
    """What the script calls, with what a browser sent: each asks the services once."""

    services: Services
    photos: PhotoCount

    def ask(self, sent: object) -> Answer:
        """Hits for a question, or the newest photos without one; or the page behind an answer, which has `next`.

        The parts of a question stand above any answer to it.
        """
        asked = sent if isinstance(sent, dict) else {}
        browsing.let_go(self.services, asked.get("left"))
        question, behind = Question.of(asked.get("question")), asked.get("next")
        if behind is not None or asked.get("offset"):  # which a page that was loaded from an older picsift sends
            return self._following(question, behind if isinstance(behind, str) else "")
        answer = self._answer(question)
        marked = browsing.marked(self.services, question)
        return {"chips": chips(question, marked, picture="trouble" in answer), **answer}

    @explained
    def _answer(self, question: Question) -> Answer:
        if question.show == "duplicates":
            return self._duplicates(question)
        now, shown = self.photos(), browsing.ask(self.services, question)
        answer = _rendered(shown, now) if question else _opened(shown, now)
        if not now.photos and not shown.result.hits:
            answer["grid"] = self._empty(now)
        least = None if shown.result.matches is None else shown.query.min_relevance
        compared = bool(shown.result.hits) and shown.result.hits[0].score is not None
        following = browsing.following(self.services, shown.result)
        told = {"next": following, "least": least, "compared": compared}
        return {**answer, **told, "photos": now.photos, "version": now.version}

    def _empty(self, now: Now) -> str:
        return gallery.empty_library(self.services.library.folder, now.failed)

    @explained
    def _following(self, question: Question, cursor: str) -> Answer:
        if question.show == "duplicates":
            return self._duplicates(question, cursor)
        result = browsing.go_on(self.services, cursor)
        return {"grid": gallery.tiles(result.hits), "next": browsing.following(self.services, result)}

    def _duplicates(self, question: Question, cursor: str | None = None) -> Answer:
        now = self.photos()
        found, shown, following = browsing.duplicates(self.services, question, cursor)
        grid = groups.page(found, shown) if now.photos else self._empty(now)
        told = {"asked": "", "summary": groups.summary(found), "title": "Duplicates", "least": None, "compared": False}
        return {**told, "grid": grid, "next": following, "photos": now.photos, "version": now.version}

    @explained
    def enlarge(self, sent: object) -> Answer:
        """One photo, large, or a video at the moment that was found."""
        asked = sent if isinstance(sent, dict) else {}
        photo = browsing.find(self.services, asked.get("photo"))
        frame, moment_s = browsing.frame_of(self.services, photo, asked.get("frame"))
        return {
            "large": viewer(
                photo,
                *browsing.around(self.services, photo),
                frame=frame,
                moment_s=moment_s,
                there=browsing.is_there(photo),
            )
        }

    @explained
    def look(self, _: object) -> Answer:
        """What is being indexed at this moment, and how many photos there are."""
        line, now = gallery.activity_line(read_activity(self.services.library.folder)), self.photos()
        ready = gallery.ready(now.ready, now.photos)
        return {"now": line, "photos": now.photos, "version": now.version, "ready": ready}

    def functions(self) -> list[Callable[[Any], Answer]]:
        """The same as functions that Gradio may mark as the page's own, which it cannot with methods."""

        def ask(sent: Any) -> Answer:
            return self.ask(sent)

        def enlarge(sent: Any) -> Answer:
            return self.enlarge(sent)

        def look(sent: Any) -> Answer:
            return self.look(sent)

        return [ask, enlarge, look]


def _rendered(shown: Shown, now: Now) -> Answer:
    hits = shown.result.hits
    grid = gallery.tiles(hits) if hits else gallery.nothing_found(shown, now.ready)
    return {"asked": gallery.asked_picture(shown), "summary": gallery.summary(shown), "grid": grid}


def _opened(shown: Shown, now: Now) -> Answer:
    ready = gallery.ready(now.ready, now.photos)
    return {"asked": "", "summary": gallery.unused(shown), "grid": gallery.opening(shown, ready)}


def lay_out(actions: Actions) -> list[Any]:
    """Place the components, top to bottom; the events that ask. Call it within a Blocks."""
    gr.HTML(f'<header><h1><a href="./">picsift</a></h1>{tools.NAVIGATION}</header>', elem_id="brand")
    gr.HTML(tools.DIALOGS, js_on_load=tools.BEGIN_JS, elem_id="tools", apply_default_css=False)
    with gr.Column(elem_id="ask"):
        with gr.Row(elem_id="bar"):
            words = _textbox("Search your photos", "Search your photos", elem_id="words", autofocus=True)
            button = gallery.picture_button(MAX_BODY_BYTES)
            gr.HTML(button, js_on_load=PICTURE_JS, elem_id="picture", apply_default_css=False, min_width=0)
            search = gr.Button("Search", variant="primary", elem_id="go", min_width=0, scale=0)
        gr.HTML(gallery.filters_button(), elem_id="panel", apply_default_css=False)
        with gr.Row(elem_id="filters"):
            beside = [_textbox(*texts, elem_id=name, show_label=True) for name, texts in BESIDE.items()]
            gr.HTML(gallery.settings(), elem_id="settings", apply_default_css=False)
    gr.HTML(
        html_template=ANSWERS,
        js_on_load=ANSWERS_JS,
        server_functions=actions.functions(),
        elem_id="answers",
        apply_default_css=False,
    )
    return [search.click, *(box.submit for box in (words, *beside))]


def _textbox(label: str, placeholder: str, *, show_label: bool = False, **kwargs: Any) -> gr.Textbox:
    frame: dict[str, Any] = {"show_label": show_label, "container": show_label}
    return gr.Textbox(value="", label=label, placeholder=placeholder, max_lines=1, **frame, **kwargs)


def _sentence(error: PicsiftError) -> str:
    """The error's message with a capital, unless a filter's name comes first; nothing in it steers the page."""
    message = printable(str(error))
    return message if message.partition(" ")[0].endswith(":") else message[:1].upper() + message[1:]
