"""Names that may be quoted: readable as they are, and without what steers a terminal or turns a line around."""

import logging

import pytest

from app.cli.commands import app
from app.cli.terminal import exits, output
from app.cli.terminal.exits import FAILED, reported
from app.cli.terminal.logs import begin
from app.printable import printable
from app.web.page.markup import safe
from app.web.problems import problem_response
from indexer.errors import QueryError

HARMFUL = ["\x1b[2J", "\r", "\n", "\x00", "\x9b", "\u2028", "\u202e", "\u202a", "\u2066", "\u2069", "\u200f", "\u061c"]


@pytest.mark.parametrize("text", ["a b.jpg", "ä ö ß", "写真", "صورة", "👩\u200d🚀", "نمی\u200cخواهم", "\udcff"])
def test_names_in_any_script_stay_as_they_are(text):
    assert printable(text) == text


@pytest.mark.parametrize("harm", HARMFUL)
def test_what_steers_or_turns_is_escaped_wherever_a_message_is_shown(harm, capsys):
    name = f"gpj.{harm}exe"

    @reported
    def command():
        raise QueryError(f"{name} is no picture.")

    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == FAILED
    written = capsys.readouterr().err.removesuffix("\n")
    problem = problem_response(400, f"{name} is no picture.").body.decode()
    for shown in (printable(name), written, safe(name), problem):
        assert harm not in shown
        assert "exe" in shown


@pytest.mark.parametrize("harm", HARMFUL)
def test_every_way_to_a_terminal_goes_through_the_one_place(harm, capsys, monkeypatch):
    """Messages, lines of results, the log with its tracebacks, errors of usage, and errors that nobody foresaw."""
    name = f"gpj.{harm}exe"
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    output.say(f"{name} is forgotten.")
    output.tell(f"failed   {name}: {name}")
    begin(False)
    try:
        raise KeyError(name)
    except KeyError as error:
        logging.getLogger("app").exception("%s was left out", name)
        exits.show_unforeseen(type(error), error, error.__traceback__)
    for arguments in ([f"--{name}"], ["search", "x", f"--{name}"], [name], ["index", "--workers", name]):
        with pytest.raises(SystemExit) as ended:
            app(arguments, prog_name="picsift")
        assert ended.value.code == exits.USAGE
    written = "".join(capsys.readouterr())
    assert written.count("exe") >= 8
    if harm == "\n":
        assert "gpj.\n" not in written
    else:
        assert harm not in written


def test_a_name_that_is_no_text_makes_no_problem_fail():
    assert b"a?b" in problem_response(400, "a\udcffb").body
