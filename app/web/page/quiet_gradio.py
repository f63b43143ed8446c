"""Gradio, imported as a server wants it: it calls nobody, and neither reads nor writes its own source.

At every import it parses the source of each of its components and writes a stub for editors beside it, which takes half
of the time, and several processes do it at once. It leaves that out where it finds no source.
"""

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported


@contextmanager
def _without_stubs() -> Iterator[None]:
    find = inspect.getfile

    def getfile(thing: Any) -> str:
        if sys._getframe(1).f_globals.get("__name__") == "gradio.component_meta":
            raise OSError("no stubs are wanted")
        return find(thing)

    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = find


with _without_stubs():
    import gradio


class _Unserved:
    """Stands in for what makes an application of a page."""

    @staticmethod
    def create_app(*_: object, **__: object) -> None: ...


@contextmanager
def unserved() -> Iterator[None]:
    """While the block runs, pages are begun and laid out without the application that Gradio makes at each step.

    Mounting makes another, which alone answers; the routes of the two take as long as the rest of a page. The block is
    of one thread: any other's pages would go without one, too.
    """
    blocks: Any = gradio.blocks
    make = blocks.App
    blocks.App = _Unserved
    try:
        yield
    finally:
        blocks.App = make


__all__ = ["gradio", "unserved"]
