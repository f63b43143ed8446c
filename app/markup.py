"""Text made safe for the page's HTML. Pure."""

import html


def safe(text: str) -> str:
    """The text as HTML shows it, inside an element or a quoted attribute, and never as markup."""
    return html.escape(text.encode("utf-8", "replace").decode())
