"""Text made safe for the page's HTML. Pure."""

import html

from app.printable import printable


def safe(text: str) -> str:
    """The text as HTML shows it, inside an element or a quoted attribute, and never as markup or turned around."""
    return html.escape(printable(text.encode("utf-8", "replace").decode()))
