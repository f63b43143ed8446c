"""What one process says it does, as others read it."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from indexer.pipeline import Progress, SyncReport
from indexer.watching.activity import FOLDER, Activity, ActivityLog, born, read_activity


@pytest.fixture
def log(tmp_path):
    log = ActivityLog(tmp_path, "watch")
    yield log
    log.close()


def test_progress_is_read_with_rate_and_time_left(tmp_path, log):
    log._written = -1e9  # long ago
    log.progress(Progress("embed", 20, 100, 1, 10.0))
    now = read_activity(tmp_path)
    assert (now.pid, now.command, now.state) == (os.getpid(), "watch", "indexing")
    assert (now.queue, now.done, now.total, now.failed) == (80, 20, 100, 1)
    assert (now.photos_per_s, now.remaining_s) == (2.0, 40.0)


def test_the_last_errors_are_kept(tmp_path, log):
    log.report(SyncReport(failed=9, failures=[(f"/p/{i}.jpg", f"reason {i}") for i in range(9)]))
    assert read_activity(tmp_path).errors == tuple((f"/p/{i}.jpg", f"reason {i}") for i in range(4, 9))


def test_progress_is_written_at_most_twice_a_second(tmp_path, log):
    log.progress(Progress("embed", 1, 100))
    log.progress(Progress("embed", 2, 100))
    assert read_activity(tmp_path).done == 1
    assert log.now.done == 2


def test_when_the_process_says_goodbye_nobody_works(tmp_path, log):
    log.close()
    assert read_activity(tmp_path) is None


def test_what_a_dead_process_left_is_not_believed_and_is_swept_up(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    left = Activity(child.pid, born(child.pid), "watch", "indexing")
    (tmp_path / FOLDER).mkdir()
    file = tmp_path / FOLDER / "1-watch.json"
    file.write_text(json.dumps(asdict(left)))
    assert read_activity(tmp_path) == left
    child.communicate(b"\n")
    assert read_activity(tmp_path) is None
    ActivityLog(tmp_path, "index").close()
    assert not file.exists()


def test_another_process_with_the_same_pid_is_not_taken_for_it(tmp_path):
    mine = Activity(os.getpid(), born(os.getpid()), "watch")
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1.json").write_text(json.dumps(asdict(replace(mine, born="1"))))
    assert read_activity(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"pid": 1}'])
def test_a_damaged_file_is_nothing(tmp_path, content):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1.json").write_text(content)
    assert read_activity(tmp_path) is None


def test_the_one_that_works_goes_before_the_one_that_is_idle(tmp_path, log):
    other = ActivityLog(tmp_path, "index")
    other.progress(Progress("scan"))
    log.state("idle")
    assert read_activity(tmp_path).command == "index"
    other.close()
    assert read_activity(tmp_path).command == "watch"


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / FOLDER).write_text("a file is in the way")
    log = ActivityLog(tmp_path, "watch")
    log.progress(Progress("scan"))
    log.close()
    assert read_activity(tmp_path) is None
