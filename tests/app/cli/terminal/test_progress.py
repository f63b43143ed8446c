"""What long work shows while it runs."""

import io
import sys

import pytest

from app.cli.terminal import progress
from app.cli.terminal.progress import IndexProgress, index_progress, line
from indexer.pipeline import Progress


def step(**values):
    return Progress(**{"stage": "embed", "done": 50, "total": 200, "failed": 0, "seconds": 5.0, **values})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Indexing photos: 50 of 200, 10.0 photos/s, 15 s left"),
        ({"failed": 3}, "Indexing photos: 50 of 200, 10.0 photos/s, 15 s left, 3 failed"),
        ({"done": 0}, "Indexing photos: 0 of 200"),
        ({"done": 1}, "Indexing photos: 1 of 200"),
        ({"seconds": 0.0}, "Indexing photos: 50 of 200"),
        ({"done": 200}, "Indexing photos: 200 of 200, 40.0 photos/s"),
        ({"done": 12_000, "total": 20_000}, "Indexing photos: 12,000 of 20,000, 2400.0 photos/s, 3 s left"),
    ],
)
def test_a_line_says_how_far_how_fast_how_long_and_how_many_failed(values, said):
    assert line(step(**values)) == said


def test_without_a_terminal_a_line_comes_now_and_then(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    show = IndexProgress(None)
    for _ in range(3):
        show(step())
    assert capsys.readouterr().err.count("Indexing photos") == 1


def test_quiet_work_shows_nothing(capsys):
    with index_progress(quiet=True) as show:
        assert show is None
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_on_standard_error(monkeypatch, capsys):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    with index_progress(quiet=False) as show:
        show(step(failed=2))
        show._bar.refresh()
    assert capsys.readouterr().out == ""
    assert "50/200" in terminal.getvalue()
    assert "2 failed" in terminal.getvalue()


def test_the_last_line_says_how_many_photos_a_second_it_was_in_all(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    with index_progress(quiet=False) as show:
        show(Progress("scan"))
        show(step(done=10, seconds=0.1))
        show(step(done=200, seconds=50.0))
        show(Progress("done", 200, 200, 0, 60.0))  # with the scan
    last = [shown for shown in terminal.getvalue().splitlines() if "/" in shown][-1]
    assert "200/200" in last
    assert "4.0 photos/s" in last


def test_a_run_that_had_nothing_to_do_leaves_no_line(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    with index_progress(quiet=False) as show:
        show(Progress("done", 0, 0, 0, 1.0))
        assert show._bar.live.transient
