"""What is held while a data set is embedded, and how soon it ends when it is told to."""

import threading

import numpy as np
import pytest

from clip_model.evaluation import collecting
from clip_model.evaluation.collecting import AT_ONCE, collect
from clip_model.evaluation.readers.data_sets import DataSet
from clip_model.evaluation.readers.examples import Example

SQUARE = np.zeros((1, 1, 3), dtype=np.uint8)


def data(count, size=1):
    return DataSet(iter([Example(str(number), bytes(size)) for number in range(count)]))


def embed(squares):
    return np.ones((len(squares), 1), dtype=np.float32)


def test_an_interrupt_waits_for_no_picture_that_is_not_begun():
    begun, ended = [], threading.Event()

    def decode(example):
        begun.append(example.name)
        if int(example.name) >= AT_ONCE:
            ended.wait(0.05)
        return SQUARE

    def interrupted(squares):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(data(2 * AT_ONCE), decode, interrupted, threads=1)
    assert len(begun) < AT_ONCE + 8
    ended.set()


def test_large_pictures_are_held_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(collecting, "BYTES_AT_ONCE", 1000)
    told = []
    held = collect(
        data(10, size=400), lambda _: SQUARE, embed, threads=2, on_progress=lambda done, total: told.append(done)
    )
    assert told == [3, 6, 9, 10]
    assert len(held.groups[0].embeddings) == 10
