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


@pytest.mark.parametrize(
    "files",
    [
        ("app/web/page/test_browser.py", "app/web/page/test_match_slider.py"),
        ("app/cli/test_watching.py", "indexer/test_kill.py", "test_gate.py"),
        ("clip_model/checkpoints/test_openai.py", "clip_model/test_model.py", "app/cli/test_foreign_models.py"),
    ],
)
def test_files_that_share_what_takes_long_to_start_go_to_one_worker(scope, files):
    (group,) = {scope(f"tests/{file}::test[phone]") for file in files}
    assert group in SHARED


def test_any_other_file_goes_by_itself(scope):
    for file in ("tests/app/web/page/test_gallery.py", "tests/test_scheduling.py", "tests/no_such_file.py"):
        assert scope(f"{file}::TestAll::test[a::b]") == file


def test_no_file_is_of_two_groups():
    for file in ROOT.glob("tests/**/test_*.py"):
        text = file.read_text()
        assert sum(any(word in text for word in words) for words in SHARED.values()) < 2, file
