"""The threads of searches: none for little work, and none that burns a core between two of them."""

import os
import subprocess
import sys

import numpy as np
import pytest

from indexer.vectors import blocks
from indexer.vectors import rows as vector_rows
from tests.indexer.unit_vectors import unit

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def in_a_new_process(code, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=inherited | environment
    )


@only_linux
def test_one_query_wakes_no_thread_and_several_over_many_rows_do():
    code = (
        "import os, numpy as np\n"
        "from indexer.vectors import faiss_module, rows\n"
        "faiss_module.load_faiss().omp_set_num_threads(4)\n"
        "def threads_after(count, queries):\n"
        "    store = rows.VectorRows(512)\n"
        "    store.put(np.arange(count), np.zeros((count, 512), np.float16))\n"
        "    before = len(os.listdir('/proc/self/task'))\n"
        "    store.search(np.zeros((queries, 512), np.float32), 5)\n"
        "    return len(os.listdir('/proc/self/task')) - before\n"
        "print(threads_after(10_000, 4), threads_after(40_000, 1), threads_after(40_000, 4) in (1, 2, 3))\n"
    )
    assert in_a_new_process(code).stdout.split() == ["0", "0", "True"]


def test_faiss_is_told_to_sleep_between_searches_and_nothing_else_is():
    code = (
        "import os\n"
        "from indexer.vectors.faiss_module import load_faiss\n"
        "load_faiss()\n"
        "print(os.environ.get('OMP_WAIT_POLICY'))\n"
    )
    done = in_a_new_process(code, OMP_DISPLAY_ENV="TRUE")
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
    assert done.stdout.strip() == "None"
    done = in_a_new_process(code, OMP_DISPLAY_ENV="TRUE", OMP_WAIT_POLICY="active")
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in done.stderr
    assert done.stdout.strip() == "active"


def test_the_answer_is_the_same_with_one_thread_and_with_all(monkeypatch):
    rows = vector_rows.VectorRows(512)
    rows.put(np.arange(3000), unit(3000, dim=512).astype(np.float16))
    query = unit(4, dim=512, seed=1)
    alone = rows.search(query, 20)
    monkeypatch.setattr(blocks, "_FEW_PRODUCTS", 0)
    monkeypatch.setattr(blocks, "_CACHE_BYTES", 0)
    for one, other in zip(alone, rows.search(query, 20), strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])
