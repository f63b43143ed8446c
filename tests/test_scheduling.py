"""How files are dealt to the worker processes of `make test`."""

from pathlib import Path

import pytest

pytest.importorskip("xdist")

from tests.scheduling import SHARED, FilesThatShare

ROOT = Path(__file__).parents[1]


@pytest.fixture
def scope(request):
    """The name of what a worker takes together with a test."""
    scheduler = FilesThatShare.__new__(FilesThatShare)  # without the workers
    scheduler.config = request.config
    return scheduler._split_scope


def test_files_that_share_a_browser_or_a_process_to_fork_from_go_to_one_worker(scope):
    browser = {scope(f"tests/app/web/page/{name}.py::test[phone]") for name in ("test_browser", "test_match_slider")}
    forked = {scope(f"tests/{name}.py::test") for name in ("app/cli/test_watching", "indexer/test_kill", "test_gate")}
    assert len(browser) == len(forked) == 1
    assert browser != forked


def test_any_other_file_goes_by_itself(scope):
    for file in ("tests/app/web/page/test_gallery.py", "tests/test_scheduling.py", "tests/no_such_file.py"):
        assert scope(f"{file}::TestAll::test[a::b]") == file


def test_no_file_is_of_two_groups():
    for file in ROOT.glob("tests/**/test_*.py"):
        text = file.read_text()
        assert sum(word in text for word in SHARED) < 2, file
