"""What other programs show of a link to the page: its name and what it is, in place of what Gradio says of itself."""

import re

from jinja2 import BaseLoader, ChoiceLoader, DictLoader, Environment, FileSystemLoader

from app.web.page.quiet_gradio import gradio as gr

TEMPLATE = "frontend/index.html"
NAME = "picsift"
ABOUT = "Search your own photos by what is in them."
_SAID = re.compile(r'<meta\s[^<>]*?(?:property="og:|name="twitter:)[^"]*"(?:[^<>"]|"[^"]*")*>')
_OURS = "".join(
    f'<meta {kind}="{name}" content="{text}" />'
    for kind, name, text in (
        ("name", "description", ABOUT),
        ("property", "og:type", "website"),
        ("property", "og:site_name", NAME),
        ("property", "og:title", NAME),
        ("property", "og:description", ABOUT),
        ("name", "twitter:card", "summary"),
        ("name", "twitter:title", NAME),
        ("name", "twitter:description", ABOUT),
    )
)


def name_links() -> None:
    """Have the page's template say what a link leads to; a second call changes nothing."""
    env = gr.routes.templates.env
    if isinstance(env.loader, FileSystemLoader):
        env.loader = renamed(env, env.loader)


def renamed(env: Environment, loader: BaseLoader) -> ChoiceLoader:
    """A loader of the same templates, the page's with our words in it."""
    source = loader.get_source(env, TEMPLATE)[0]
    ours = _SAID.sub("", source).replace("</head>", f"<title>{NAME}</title>{_OURS}</head>", 1)
    return ChoiceLoader([DictLoader({TEMPLATE: ours}), loader])
