"""The place in a query that an error is about, as two lines for a terminal: what was typed, and carets below. Pure."""

from __future__ import annotations

from app.printable import printable
from app.search.language.spots import Spot, excerpt

_INDENT = "  "
MOST = 66  # columns of what was typed; with the marks of what is cut, two lines of the narrowest usual terminal


def pointed(spot: Spot, encoding: str | None) -> list[str]:
    """The query, or what stands around the spot, and carets below it; neither steers the terminal.

    Args:
        spot: the place.
        encoding: of the terminal; what it lacks is escaped, as the stream would do, so that the carets stand below.
    """
    from rich.cells import cell_len

    def visible(character: str) -> str:
        named = encoding or "utf-8"
        return printable(character).encode(named, "backslashreplace").decode(named, "replace")

    before, part, after = excerpt(spot, MOST, visible=visible, width=cell_len)
    carets = "^" * max(1, cell_len(part))
    return [f"{_INDENT}{before}{part}{after}", f"{_INDENT}{' ' * cell_len(before)}{carets}"]
