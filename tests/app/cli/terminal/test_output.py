"""What people see on a terminal and in a pipe."""

import io
import json
import re
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.cli.terminal import output
from app.cli.terminal.streams import prepare_streams
from app.doctor import Check
from app.search.ranking import Hit
from app.search.search_service import SearchResult
from app.status import IndexStatus, ModelStatus, Status
from indexer.catalog.records import PhotoRecord, Root
from indexer.pipeline import SyncReport


def hit(path, score=0.25, taken_at=None, **known):
    nothing = dict.fromkeys(PhotoRecord._fields)
    known |= {"id": 1, "path": Path(path), "state": "ok", "taken_at": taken_at}
    return Hit(PhotoRecord(**{**nothing, **known}), score)


def result(*hits, has_more=False):
    return SearchResult("dog", "builtin", 1234, 12.34, list(hits), has_more)


@pytest.fixture
def on_terminal(monkeypatch):
    """What `show_hits` writes to a terminal of 60 columns."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")

    def show(*args, **kwargs):
        stream = io.StringIO()
        stream.isatty = lambda: True
        with redirect_stdout(stream):
            output.show_hits(*args, json=False, **kwargs)
        return stream.getvalue()

    return show


def test_a_terminal_gets_rank_score_date_and_path(on_terminal):
    first, second = hit("/p/a.jpg", 0.312, datetime(2021, 7, 4, 10, 11)), hit("/p/b.jpg")
    lines = on_terminal(result(first, second), first_rank=21).splitlines()
    assert lines[1].split() == ["21", "0.312", "–", "–", "2021-07-04", "10:11", "/p/a.jpg"]
    assert lines[2].split() == ["22", "0.250", "–", "–", "–", "/p/b.jpg"]
    assert "2 of 1,234 photos in 12 ms, by builtin" in lines[3]


@pytest.mark.parametrize(
    ("found_by", "shown"), [(("words",), "words"), (("picture",), "picture"), (("words", "picture"), "both"), ((), "–")]
)
def test_each_hit_says_what_found_it(on_terminal, capsys, found_by, shown):
    found = result(hit("/p/a.jpg", 0.3, companions=())._replace(relevance=0.12, found_by=found_by))
    assert on_terminal(found).splitlines()[1].split()[:4] == ["1", "0.300", "12%", shown]
    output.show_hits(found, json=True)
    assert json.loads(capsys.readouterr().out)["hits"][0]["found_by"] == list(found_by)


def test_matches_are_counted_and_each_says_how_well_it_fits(on_terminal):
    found = replace(result(hit("/p/a.jpg", 0.3)._replace(relevance=0.874)), matches=1)
    lines = on_terminal(found).splitlines()
    assert lines[1].split() == ["1", "0.300", "87%", "–", "–", "/p/a.jpg"]
    assert "1 of 1 match among 1,234 photos" in lines[2]


@pytest.mark.parametrize(
    ("total", "hint", "rank", "said"),
    [
        (0, None, 1, "no photo passes these filters"),
        (0, "no folder is called x", 1, "no folder is called x"),
        (9, "nothing here looks like that", 1, "nothing here looks like that.*--min-relevance 0"),
        (9, None, 21, "there are no more matches"),
    ],
)
def test_why_there_is_no_hit(capsys, total, hint, rank, said):
    output.show_hits(SearchResult("dog", "builtin", total, 1, [], False, hint, 0), json=False, first_rank=rank)
    assert re.search(said, capsys.readouterr().err)


@pytest.mark.parametrize(("precision", "shown"), [("month", "1993-08"), ("year", "1993")])
def test_a_date_is_shown_as_far_as_it_is_known(on_terminal, precision, shown):
    lines = on_terminal(result(hit("/p/a.jpg", 0.3, datetime(1993, 8, 1), taken_precision=precision))).splitlines()
    assert lines[1].split() == ["1", "0.300", "–", "–", shown, "/p/a.jpg"]


def test_a_pipe_gets_one_line_for_each_photo_whatever_its_name(capsys):
    plain, broken = Path("/p/a b'\\\".jpg"), Path("/p/a\nb\t\x1b\u2028.jpg")
    output.show_hits(result(hit(plain), hit(broken)), json=False)
    lines = capsys.readouterr().out.split("\n")
    assert lines[0] == f"0.2500\t{plain}"
    score, path = lines[1].split("\t")
    assert (score, json.loads(path)) == ("0.2500", str(broken))
    assert lines[2:] == [""]


@pytest.mark.parametrize(("encoding", "whole"), [("utf-8", True), ("ascii", False), ("latin-1", False), (None, True)])
def test_a_name_that_a_pipe_has_no_characters_for_is_told_from_one_with_backslashes(encoding, whole):
    names = ["/p/\u6771\u4eac.jpg", "/p/caf\udce9.jpg", "/p/\\u6771.jpg", "/p/a.jpg"]
    stream = io.StringIO() if encoding is None else io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    printed = [output.field(Path(name), stream) for name in names]
    assert printed == (names if whole else [json.dumps(name) for name in names[:2]] + names[2:])


def test_a_pipe_gets_each_copy_of_a_hit_behind_it(capsys):
    copies = tuple(hit(path).photo for path in ("/q/a.jpg", "/q/a\n.jpg"))
    output.show_hits(result(hit("/p/a.jpg")._replace(copies=copies), hit("/p/b.jpg", 0.2)), json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["0.2500\t/p/a.jpg", "0.2500\t/q/a.jpg", '0.2500\t"/q/a\\n.jpg"', "0.2000\t/p/b.jpg"]


def test_more_hits_are_announced(on_terminal):
    assert "--offset shows more" in " ".join(on_terminal(result(hit("/p/a.jpg"), has_more=True)).split())


def test_a_file_name_can_neither_steer_the_terminal_nor_break_a_line(on_terminal):
    shown = on_terminal(result(hit("/p/[red]\x1b[2J\nx.jpg")))
    assert "\x1b[2J" not in shown
    assert "[red]\\x1b[2J\\nx.jpg" in shown


def test_a_pipe_gets_whole_paths_on_one_line_each(capsys):
    long = "/p/" + "very long name " * 30 + ".jpg"
    output.show_hits(result(hit(long), hit("/p/b.jpg", -0.5)), json=False)
    assert capsys.readouterr().out == f"0.2500\t{long}\n-0.5000\t/p/b.jpg\n"


def test_no_hits_print_nothing_in_a_pipe(capsys):
    output.show_hits(result(), json=False)
    assert capsys.readouterr().out == ""


def test_a_report_counts_and_names_the_first_failures(capsys):
    failures = [(f"/p/{n}.jpg", "truncated") for n in range(15)]
    report = SyncReport(
        added=1200,
        updated=0,
        moved=1,
        removed=0,
        unchanged=7,
        failed=15,
        seconds=3.21,
        failures=failures,
        messages=["careful."],
    )
    output.show_report(report, json=False)
    out, err = capsys.readouterr()
    assert out.startswith("1,200 added, 0 updated, 1 moved, 0 removed, 7 unchanged, 15 failed in 3.2 s\n")
    assert out.count("truncated") == 10
    assert "and 5 more" in out
    assert err == "picsift: careful.\n"


def test_status_is_read_in_lines(capsys):
    status = Status(
        photos=1234,
        failed=1,
        missing=2,
        roots=[Root(1, Path("/p"), 1234, datetime(2024, 5, 6, 7, 8, tzinfo=UTC), "not there")],
        model=ModelStatus("builtin", 256, "ab" * 32),
        device="cpu",
        precision="bf16",
        index=IndexStatus("flat-fp16", 1233, "cpu", 1_500_000),
        library=Path("/lib"),
        failures=[(Path("/p/x.jpg"), "truncated")],
        problems=["/p: not there"],
    )
    output.show_status(status, json=False)
    out = capsys.readouterr().out
    for said in (
        "/lib",
        "1,234 (1 failed, 2 missing)",
        "256 dimensions",
        "cpu, bf16",
        "1,233 vectors",
        "1.5 MB",
        "/p/x.jpg: truncated",
    ):
        assert said in out


def test_status_says_of_an_index_in_lists_what_a_search_finds():
    index = IndexStatus("ivf-fp16", 1_000_000, "cpu", 1_040_000_000, lists=2000, probes=80, recall=0.9931)
    assert output._index_line(index).endswith("1,040.0 MB, 80 of 2,000 lists a search: 99.3% of exact hits")
    assert "2,000 of 2,000 lists a search: 100.0%" in output._index_line(replace(index, probes=0, recall=1.0))


def test_checks_tell_what_fails_from_what_is_only_missing(capsys):
    output.show_checks([Check("a", True, "x"), Check("b", False, "y"), Check("c", False, "z", True)], json=False)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok", "no", "FAILED"]


@pytest.mark.parametrize(
    ("encoding", "printed"), [("utf-8", b"caf\xe9"), ("ascii", b"caf\\udce9"), ("latin-1", b"caf\\udce9")]
)
def test_names_that_are_no_text_print_in_every_encoding(monkeypatch, encoding, printed):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    prepare_streams()
    output.show_hits(result(hit("/p/caf\udce9")), json=False)
    sys.stdout.flush()
    assert printed in raw.getvalue()


@pytest.mark.parametrize("documents", [[], [1], [{"a": ["x\ny", []], "b": {}}, {}, {"ü": None}]])
def test_a_list_that_is_printed_item_by_item_reads_as_one_that_is_printed_whole(capsys, documents):
    output.write_json_list(iter(documents))
    told = capsys.readouterr().out
    output.write_json(documents)
    assert told == capsys.readouterr().out
