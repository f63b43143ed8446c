"""What `picsift search` prints, worked out by a server for a command that asked it: the same text to the byte.

It answers nothing that names a file, and leaves to the command whatever is not an answer or a mistake in the query.
"""

import inspect
import io
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from app.bootstrap import Services
from app.cli.searching import asked_for, changed_since, search_command
from app.cli.terminal import exits, output
from app.cli.terminal.options import Filters, Listing
from app.cli.terminal.warned import Warned
from app.running.note import identity_of
from indexer.errors import QueryError

log = logging.getLogger(__name__)

OWN = ("image", "right", "wrong", "verbose", "no_server")  # options that name files, or are for the command itself

LONGEST_TURN_S = 1.0  # that one waits for others, with a thread that the page may want


class Text(io.StringIO):
    """What is printed, to a stream that looks like the command's own."""

    def __init__(self, *, tty: bool, encoding: str) -> None:
        """Nothing is printed yet."""
        super().__init__(newline="")
        self._tty, self._encoding = tty, encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the command's own stream, for whoever asks what it can show."""
        return self._encoding

    def isatty(self) -> bool:
        """Whether that is a terminal."""
        return self._tty


class Answering:
    """Answers one command at a time; each is over soon, and its words are embedded by themselves, as there."""

    def __init__(self, services: Services) -> None:
        """Answer from these services."""
        self._services = services
        self._turn = threading.Lock()
        self._command = _collecting()
        self._warned = Warned()

    def __call__(self, asked: Mapping[str, Any]) -> dict[str, object] | None:
        """The document that `app/running/asking.py` reads, for the one that it sends; None leaves it to the command."""
        try:
            return self._believed(asked)
        except Exception as error:  # the command does all of it again, and tells a person
            log.info("a search is left to the command that asked: %s: %s", type(error).__name__, error)
            return None

    def _believed(self, asked: Mapping[str, Any]) -> dict[str, object] | None:
        """The answer, if it is of the folder that the command means, and a command alone would print no more.

        A link may lead elsewhere by now, or a drive may be another: the library is opened by its path.
        """
        before = self._warned.told()
        if self._folder() != asked["folder"] or self._warned.lasting() or self._on_gpu():
            return None
        said = self._answer(asked)
        sound = self._folder() == asked["folder"] and self._warned.told() == before and not self._on_gpu()
        return said if sound else None

    def _folder(self) -> list[object]:
        real = Path(os.path.realpath(self._services.library.folder))
        return [str(real), identity_of(real)]

    def _on_gpu(self) -> bool:
        """Whether a GPU searches here, whose last digits differ, where a command alone would have the CPU do it."""
        return self._services.settings.device == "auto" and self._services.search.live.device not in (None, "cpu")

    def _answer(self, asked: Mapping[str, Any]) -> dict[str, object] | None:
        with self._command.make_context("search", list(asked["arguments"])) as context:
            given: dict[str, Any] = self._command.invoke(context)
        named = None if asked["library"] is None else Path(asked["library"])
        if given["library"] != named or any(given[name] for name in OWN):
            return None
        shown = asked["terminal"]
        out, err = (Text(tty=shown["tty"], encoding=shown["encoding"]) for _ in range(2))
        status = 0
        try:
            if not self._print(given, output.Terminal(out, err, shown["environment"])):
                return None
        except QueryError as error:
            output.say_error(error, output.Terminal(out, err))
            status = exits.FAILED
        return {"out": out.getvalue(), "err": err.getvalue(), "status": status}

    def _print(self, given: Mapping[str, Any], terminal: output.Terminal) -> bool:
        """Search, and print as the command does; False where a picture's file is named, or others take too long."""
        listing, filters = _group(Listing, given), _group(Filters, given)
        wanted = asked_for(given["query"], listing, filters, self._services.settings)
        if any(term.picture for term in (*wanted.terms, *wanted.unwanted)):
            return False
        if not self._turn.acquire(timeout=LONGEST_TURN_S):
            return False
        try:
            result = self._services.lean_search.search(wanted)
            changed = changed_since(wanted, self._services)
        finally:
            self._turn.release()
        output.show_hits(result, json=given["json"], first_rank=listing.offset + 1, terminal=terminal)
        if changed is not None:
            output.say(changed, terminal)
        return True


def _group(group: Any, given: Mapping[str, Any]) -> Any:
    return group(**{field.name: given[field.name] for field in fields(group)})


def _collecting() -> Any:
    """The command as its own parser reads it, which gives back what was said instead of doing it."""

    def collect(**given: Any) -> dict[str, Any]:
        return given

    setattr(collect, "__signature__", inspect.signature(search_command))  # noqa: B010 - mypy knows no such attribute
    collect.__annotations__ = search_command.__annotations__
    group = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    group.command("search", add_help_option=False)(collect)
    return typer.main.get_command(group)
