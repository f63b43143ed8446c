"""What `picsift search`, or `similar`, prints, worked out by a server for a command that asked it: the same bytes.

It opens no file that is named, and leaves to the command whatever is not an answer or a mistake in the query.
"""

import inspect
import io
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import typer

from app.bootstrap import Services
from app.cli.searching import alike, asked_for, changed_since, search_command, similar_command
from app.cli.terminal import exits, output
from app.cli.terminal.heard import Heard
from app.cli.terminal.options import Filters, Listing
from app.cli.terminal.warned import Warned
from app.running.note import identity_of
from app.search.query import MAX_SOURCES
from app.search.search_service import SearchResult
from indexer.errors import QueryError

log = logging.getLogger(__name__)

# Options of files, or for the command itself.
OWN = ("image", "region", "right", "wrong", "verbose", "no_server")

Find = Callable[[], tuple[SearchResult, str | None]]
"""What gives the answer, and what is said behind it."""
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
        self._commands = {"search": _collecting(search_command), "similar": _collecting(similar_command)}
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
        command = self._commands[asked["command"]]
        with command.make_context(asked["command"], list(asked["arguments"])) as context:
            given: dict[str, Any] = command.invoke(context)
        named = None if asked["library"] is None else Path(asked["library"])
        if given["library"] != named or any(given.get(name) for name in OWN):
            return None
        shown = asked["terminal"]
        out, err = (Text(tty=shown["tty"], encoding=shown["encoding"]) for _ in range(2))
        status = 0
        try:
            find = self._similar(given, asked) if "files" in given else self._by_words(given)
            if find is None or not self._print(given, find, output.Terminal(out, err, shown["environment"])):
                return None
        except QueryError as error:
            output.say_error(error, output.Terminal(out, err))
            status = exits.FAILED
        return {"out": out.getvalue(), "err": err.getvalue(), "status": status}

    def _by_words(self, given: Mapping[str, Any]) -> Find | None:
        """What finds photos by words; None where a picture's file is named, too."""
        wanted = asked_for(given["query"], _group(Listing, given), _group(Filters, given), self._services.settings)
        if any(term.picture for term in (*wanted.terms, *wanted.unwanted)):
            return None
        return lambda: (self._services.lean_search.search(wanted), changed_since(wanted, self._services))

    def _similar(self, given: Mapping[str, Any], asked: Mapping[str, Any]) -> Find | None:
        """What finds photos like some of the library, which are named as seen from the command's folder.

        None where one of them is another picture, or has no vector: the command reads its file.
        """
        wanted = alike(_group(Listing, given), _group(Filters, given), self._services.settings)
        files: list[Path] = given["files"]
        if len(files) > MAX_SOURCES:
            return None
        search = self._services.lean_search
        stored = [search.stored_at(Path(asked["seen_from"], file)) for file in files]
        sources = [photo_id for photo_id in stored if photo_id is not None]
        if len(sources) < len(files):
            return None

        def find() -> tuple[SearchResult, None]:
            try:
                result = search.similar(sources, wanted)
            except QueryError as error:  # of a photo that went meanwhile, a command reads the file
                raise LookupError(str(error)) from error
            if [search.stored_at(Path(asked["seen_from"], file)) for file in files] != sources:
                raise LookupError("the photos became others meanwhile")
            return replace(result, query=", ".join(map(str, files))), None

        return find

    def _print(self, given: Mapping[str, Any], find: Find, terminal: output.Terminal) -> bool:
        """Search, and print as the command does; False where others take too long."""
        if not self._turn.acquire(timeout=LONGEST_TURN_S):
            return False
        try:
            result, changed = find()
        finally:
            self._turn.release()
        output.show_hits(result, json=given["json"], first_rank=given["offset"] + 1, terminal=terminal)
        if changed is not None:
            output.say(changed, terminal)
        return True


def _group(group: Any, given: Mapping[str, Any]) -> Any:
    return group(**{field.name: given[field.name] for field in fields(group)})


def _collecting(command: Callable[..., None]) -> Any:
    """A command as its own parser reads it, which gives back what was said instead of doing it."""

    def collect(**given: Any) -> dict[str, Any]:
        return given

    setattr(collect, "__signature__", inspect.signature(command))  # noqa: B010 - mypy knows no such attribute
    collect.__annotations__ = command.__annotations__
    group = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    group.command("asked", cls=Heard, add_help_option=False)(collect)
    return typer.main.get_command(group)
