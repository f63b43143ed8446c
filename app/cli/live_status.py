"""`picsift status --follow`: what the process that works on the library is doing, as it does it.

It reads a small file again and again, and opens no catalog.
"""

import sys
import threading
from dataclasses import replace
from json import dumps
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from app.activities import document, sentence
from app.cli.terminal.output import tell
from app.printable import printable
from indexer.watching.activity import Activity, read_activity

EVERY_S = 0.5
NOTHING = "nobody works on this library; 'picsift watch' follows its folders"


def follow(library: Path, *, json: bool, stop: threading.Event) -> None:
    """Show each change until `stop` is set: redrawn on a terminal, a line for each in a pipe.

    Args:
        library: the library's folder.
        json: print one JSON document on a line for each change.
        stop: ends it.
    """
    if sys.stdout.isatty() and not json:
        with Live(Text(""), console=Console(highlight=False), refresh_per_second=4, transient=True) as live:
            while not stop.wait(EVERY_S):
                live.update(Text("\n".join(lines(read_activity(library)))))
        return
    before: object = ...
    while True:
        now = read_activity(library)
        told = None if now is None else replace(now, at="")
        if told != before:
            before = told
            tell(dumps(document(now)) if json else lines(now)[0])
        if stop.wait(EVERY_S):
            return


def lines(activity: Activity | None) -> list[str]:
    """An activity as a person reads it: what is going on, then the last errors."""
    if activity is None:
        return [NOTHING]
    errors = [f"failed {printable(path)}: {printable(reason)}" for path, reason in reversed(activity.errors)]
    return [f"{activity.command}: {sentence(activity)}", *errors]
