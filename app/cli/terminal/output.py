"""What commands print: tables for a terminal, plain lines for a pipe, one JSON document for --json.

Results go to standard output, messages to standard error. It fetches nothing and decides no exit status.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from json import dumps
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from app.built_in import limits_of
from app.cli.terminal.documents import checks_document, report_document, search_document
from app.cli.terminal.pointing import pointed
from app.cli.terminal.streams import prints_as_it_is
from app.clock import clock, day_in_figures
from app.printable import printable
from app.search.language.spots import spot_of
from indexer.counted import counted
from indexer.errors import PicsiftError

if TYPE_CHECKING:
    from app.doctor import Check
    from app.search.search_service import SearchResult
    from app.status import IndexStatus, Status
    from indexer.pipeline import SyncReport

SHOWN_FAILURES = 10


class Terminal(NamedTuple):
    """Where a command prints: streams, None for the process's own, and the environment that says what they can show."""

    out: TextIO | None = None
    err: TextIO | None = None
    environment: Mapping[str, str] | None = None


HERE = Terminal()


def say(message: str, terminal: Terminal = HERE) -> None:
    """A message on standard error; names in it, whatever they hold, steer no terminal."""
    print(f"picsift: {printable(message)}", file=terminal.err or sys.stderr)


def say_done(message: str, document: Any, *, json: bool) -> None:
    """What was done: a message on standard error, or instead of it a JSON document on standard output."""
    if json:
        write_json(document)
    else:
        say(message)


def say_error(error: PicsiftError, terminal: Terminal = HERE) -> None:
    """What was not done, and why; where that is about a part of the query, the query with the part marked, too."""
    say(str(error), terminal)
    spot = spot_of(error)
    if spot is not None:
        stream = terminal.err or sys.stderr
        print(*pointed(spot, stream.encoding), sep="\n", file=stream)


def tell(text: str) -> None:
    """A line of a command's result on standard output, made safe like a message; JSON is `write_json`'s."""
    print(printable(text), flush=True)  # noqa: T201


def show_hits(result: SearchResult, *, json: bool, first_rank: int = 1, terminal: Terminal = HERE) -> None:
    """What `search` and `similar` found: JSON, a table on a terminal, or in a pipe a line for each photo.

    A hit's copies are photos too: in a pipe they stand behind it with its score, so that a script misses none.
    """
    if json:
        write_json(search_document(result), terminal)
    elif (terminal.out or sys.stdout).isatty():
        _write_table(result, first_rank, terminal)
    else:
        for hit in result.hits:
            for photo in (hit.photo, *hit.copies):
                score = "-" if hit.score is None else f"{hit.score:.4f}"
                print(f"{score}\t{field(photo.path, terminal.out or sys.stdout)}", file=terminal.out)
    if not result.hits and not json:
        say(_why_nothing(result, first_rank), terminal)


def show_report(report: SyncReport, *, json: bool) -> None:
    """What a run of `index` did."""
    for message in report.messages:
        say(message)
    if json:
        write_json(report_document(report))
    else:
        _write_report(report)


def show_status(status: Status, *, json: bool) -> None:
    """What is in the library."""
    from app.status import document

    if json:
        write_json(document(status))
    else:
        _write_status(status)


def show_checks(checks: Sequence[Check], *, json: bool) -> None:
    """What works and what does not."""
    if json:
        write_json(checks_document(checks))
    else:
        _write_checks(checks)


def write_json(document: Any, terminal: Terminal = HERE) -> None:
    """One JSON document on standard output."""
    print(dumps(document, indent=2, allow_nan=False), file=terminal.out)


def write_json_list(documents: Iterable[Any]) -> None:
    """One JSON list on standard output, each item as soon as it is known: what `write_json` prints of all of them.

    What goes wrong before the first one is known leaves nothing there.
    """
    start = "["
    for document in documents:
        item = indent(dumps(document, indent=2, allow_nan=False), "  ")
        print(start, item, sep="\n", end="", flush=True)  # noqa: T201
        start = ","
    print("[]" if start == "[" else "\n]")  # noqa: T201


def _why_nothing(result: SearchResult, first_rank: int) -> str:
    if not result.total:
        return result.hint or "no photo passes these filters."
    if first_rank > 1:
        return "there are no more matches."
    return f"{result.hint or 'nothing was found.'} --min-relevance 0 shows what is nearest."


def _write_table(result: SearchResult, first_rank: int, terminal: Terminal) -> None:
    """Columns of equal width with the path last and unbroken: the terminal wraps it, and it can be copied whole."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=terminal.out, highlight=False, soft_wrap=True, _environ=terminal.environment)
    console.print(f"{'#':>4}  {'score':>6}  {'match':>5}  {'by':<7}  {'taken':<16}  path", style="bold")
    for rank, hit in enumerate(result.hits, first_rank):
        taken = day_in_figures(hit.photo.taken_at, hit.photo.taken_precision) if hit.photo.taken_at else "–"
        path = printable(hit.photo.path)
        moment = "" if hit.moment_s is None else f"  (at {clock(hit.moment_s)})"
        copies = "" if not hit.copies else f"  (+{counted(len(hit.copies), 'copy', 'copies')})"
        away = ("", "") if hit.photo.missing_since is None else ("  (not reachable)", "yellow")
        score = "–" if hit.score is None else f"{hit.score:.3f}"
        match = "–" if hit.relevance is None else f"{hit.relevance:.0%}"
        by = "both" if len(hit.found_by) > 1 else "".join(hit.found_by) or "–"
        fits = f"  {score:>6}  {match:>5}  {by:<7}  {taken:<16}  {path}{moment}{copies}"
        console.print(Text.assemble((f"{rank:>4}", "dim"), fits, away))
    photos = counted(result.total, "photo")
    more = "; --offset shows more" if result.has_more else ""
    among = photos if result.matches is None else f"{counted(result.matches, 'match', 'matches')} among {photos}"
    found = f"{len(result.hits)} of {among} in {result.took_ms:.0f} ms, by {result.model}{more}"
    console.print(Text(printable(found), style="dim"))


def _write_report(report: SyncReport) -> None:
    counts = [f"{getattr(report, name):,} {name}" for name in ("added", "updated", "moved", "removed", "unchanged")]
    tell(f"{', '.join(counts)}, {report.failed:,} failed in {report.seconds:.1f} s")
    _write_failures([(path, reason) for path, reason in report.failures], report.failed)


def _write_status(status: Status) -> None:
    from app.activities import sentence

    index = status.index
    lines = [
        ("library", str(status.library)),
        ("photos", f"{status.photos:,} ({status.failed:,} failed, {status.missing:,} missing)"),
        ("model", _model_line(status)),
        *([("", limits)] if status.model is not None and (limits := limits_of(status.model.name)) else []),
        ("runs on", f"{status.device}, {status.precision}"),
        ("index", _index_line(index)),
    ]
    for root in status.roots:
        scanned = f"last scan {root.last_scan_at:%Y-%m-%d %H:%M}" if root.last_scan_at else "never scanned"
        lines.append(("folder", f"{root.path} ({counted(root.photos, 'photo')}, {scanned})"))
    if status.activity is not None:
        lines.append(("now", f"{status.activity.command}: {sentence(status.activity)}"))
    lines += [("problem", problem) for problem in status.problems]
    for name, value in lines:
        tell(f"{name:<9}{value}")
    _write_failures(status.failures, status.failed)


def _index_line(index: IndexStatus) -> str:
    line = f"{counted(index.vectors, 'vector')}, {index.kind} on {index.device}, {index.bytes / 1e6:,.1f} MB"
    if not index.lists:
        return line
    return (
        f"{line}, {index.probes or index.lists:,} of {index.lists:,} lists a search: {index.recall:.1%} of exact hits"
    )


def _write_checks(checks: Sequence[Check]) -> None:
    width = max(len(check.name) for check in checks)
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for check in checks:
        mark, style = ("ok", "green") if check.ok else ("FAILED", "bold red") if check.essential else ("no", "yellow")
        console.print(Text.assemble((f"{mark:<7}", style), f"{check.name:<{width}}  {printable(check.detail)}"))


def field(path: Path, stream: TextIO) -> str:
    """A path as it is, or as a JSON string where a character of it would break the line or the columns, or be replaced.

    The two cannot be mistaken for each other: a path here is absolute, and never begins with a quotation mark.
    """
    text = str(path)
    return text if text == printable(text) and prints_as_it_is(text, stream.encoding) else dumps(text)


def _model_line(status: Status) -> str:
    if status.model is None:
        return "none"
    return f"{status.model.name} ({status.model.dim} dimensions, fingerprint {status.model.fingerprint[:12]})"


def _write_failures(failures: Sequence[tuple[str | Path, str]], total: int) -> None:
    for path, reason in failures[:SHOWN_FAILURES]:
        tell(f"failed   {path}: {reason}")
    if total > SHOWN_FAILURES:
        tell(f"         and {total - SHOWN_FAILURES:,} more")


def shown_bytes(count: int) -> str:
    """A number of bytes, for people."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.0f} kB"
