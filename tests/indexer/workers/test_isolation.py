"""Worker processes: what ends one of them ends nothing else, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import DecoderLostError, DecoderStartError, TooLargeError
from indexer.workers import isolation
from indexer.workers.isolation import WorkerPool
from tests.indexer import runaways
from tests.indexer.processes import NewWorkers, is_running, read, wait_until, workers_of

pytestmark = [pytest.mark.fresh_workers, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@pytest.fixture
def workers():
    return NewWorkers()


@pytest.fixture
def pool(workers):
    with WorkerPool(timeout_s=270, memory_mb=256) as pool:  # less than pytest's own limit
        yield pool
    assert workers() == []


def test_a_call_is_answered_by_another_process_which_serves_the_next_one_too(pool, workers):
    first, second = pool.run(os.getpid), pool.run(os.getpid)
    assert first == second != os.getpid()
    assert workers() == [first]


def test_processes_are_started_as_calls_need_them(pool, workers, tmp_path):
    assert workers() == []
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: pool.run(runaways.meet, str(tmp_path), 3), range(3)))
    assert len(workers()) == 3


def test_what_a_function_raises_is_raised_here(pool):
    with pytest.raises(ZeroDivisionError):
        pool.run(runaways.divide, None)
    assert pool.run(abs, -3) == 3


def test_an_answer_of_many_megabytes_comes_whole(pool):
    np.testing.assert_array_equal(pool.run(np.arange, 3_000_000), np.arange(3_000_000))


@pytest.mark.parametrize(
    ("call", "reason", "temporary"),
    [
        ((runaways.crash,), r"the decoder crashed \(signal 11\)", False),
        ((runaways.kill_itself, signal.SIGABRT), r"the decoder crashed \(signal 6\)", False),
        ((runaways.kill_itself, signal.SIGKILL), r"killed \(signal 9\).* memory", True),
        ((runaways.leave, 3), r"ended \(status 3\)", False),
    ],
)
def test_a_process_that_ends_in_a_call_is_noticed_and_replaced(pool, call, reason, temporary):
    before = pool.run(os.getpid)
    with pytest.raises(DecoderLostError, match=reason) as raised:
        pool.run(*call)
    assert raised.value.temporary is temporary
    assert pool.run(os.getpid) != before
    assert not is_running(before)


@pytest.mark.parametrize("function", [runaways.forever, runaways.loop_without_letting_python_run])
def test_a_call_that_does_not_end_is_ended(function):
    with WorkerPool(timeout_s=1) as pool:
        with pytest.raises(DecoderLostError, match="longer than 1 s"):
            pool.run(function)
        assert pool.run(abs, -3) == 3


def test_a_call_that_wants_all_memory_gets_a_part_of_it(pool):
    before = pool.run(os.getpid)
    with pytest.raises(TooLargeError, match=r"more than 256 MB.*decode_memory_mb"):
        pool.run(runaways.hoard)
    assert pool.run(os.getpid) != before  # what it holds on to is given back
    assert pool.run(len, b"x" * (100 << 20)) == 100 << 20


def test_a_process_killed_from_outside_while_idle_costs_nothing(pool):
    idle = pool.run(os.getpid)
    os.kill(idle, signal.SIGKILL)
    wait_until(lambda: not is_running(idle))
    assert pool.run(os.getpid) != idle


def test_a_process_killed_from_outside_in_a_call_costs_that_call(pool, tmp_path):
    told = tmp_path / "pid"
    with ThreadPoolExecutor(2) as threads:
        hit = threads.submit(pool.run, runaways.tell, str(told))
        pid = int(wait_until(lambda: read(told)))
        neighbour = threads.submit(pool.run, time.sleep, 1)
        os.kill(pid, signal.SIGSEGV)
        with pytest.raises(DecoderLostError, match="signal 11"):
            hit.result(60)
        assert neighbour.result(60) is None


def test_ctrl_c_and_sigterm_are_the_parents_business(pool):
    pid = pool.run(os.getpid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)  # delivered before it can take the next call
    assert pool.run(os.getpid) == pid


def test_closing_ends_what_is_under_way_and_the_pool_can_be_opened_again(pool, tmp_path):
    told = tmp_path / "pid"
    with ThreadPoolExecutor(1) as threads:
        hit = threads.submit(pool.run, runaways.tell, str(told))
        pid = int(wait_until(lambda: read(told)))
        pool.close()
        with pytest.raises(DecoderLostError, match="stopped"):
            hit.result(60)
    assert not is_running(pid)
    with pytest.raises(DecoderLostError, match="stopped"):
        pool.run(abs, -3)
    pool.open()
    assert pool.run(abs, -3) == 3


def test_processes_with_nothing_to_do_can_be_ended_and_those_at_work_go_on(pool, tmp_path):
    told = tmp_path / "pid"
    idle = pool.run(os.getpid)
    pool.rest()
    assert not is_running(idle)
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(pool.run, runaways.tell, str(told))
        pid = int(wait_until(lambda: read(told)))
        pool.rest()
        assert is_running(pid)
        pool.close()
        with pytest.raises(DecoderLostError):
            busy.result(60)
    pool.open()


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/false"])
def test_that_no_process_can_be_started_is_no_fault_of_a_photo(pool, monkeypatch, python):
    monkeypatch.setattr(isolation.sys, "executable", python)
    with pytest.raises(DecoderStartError, match="no process that decodes photos could be started"):
        pool.run(abs, -3)


def test_a_process_finds_us_where_its_parent_did_by_a_hook(pool, monkeypatch):
    ours = Path(isolation.__file__).parents[2]
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if Path(folder).resolve() != ours])
    assert pool.run(abs, -3) == 3


def test_workers_end_with_a_parent_that_is_killed_even_in_the_middle_of_a_call(tmp_path):
    code = (
        "import threading; from tests.indexer import runaways; from indexer.workers.isolation import WorkerPool; "
        "pool = WorkerPool(); "
        f"threading.Thread(target=pool.run, args=(runaways.tell, {str(tmp_path / 'busy')!r})).start(); "
        "pool.run(abs, -3); print('ready', flush=True)"
    )
    folders = [str(Path(isolation.__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout.readline() == b"ready\n"
    wait_until(lambda: read(tmp_path / "busy"))
    workers = workers_of(parent.pid)
    assert len(workers) == 2
    parent.kill()
    parent.communicate()
    wait_until(lambda: not any(map(is_running, workers)), seconds=5)


def test_a_worker_is_light():
    code = (
        "import sys, numpy as np; from pathlib import Path; from indexer.workers.isolation import WorkerPool; "
        "from tests.indexer import runaways; "
        "pool = WorkerPool(); print(pool.run(runaways.weight)); pool.close()"
    )
    folders = [str(Path(isolation.__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "([], True)\n"
