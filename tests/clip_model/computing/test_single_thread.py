"""The thread of one core: texts are computed in it, and nobody else's number of threads changes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import torch

from clip_model.computing import single_thread
from clip_model.computing.single_thread import on_one_core
from clip_model.inference import ONE_CORE_TEXTS, Encoder
from clip_model.model import CLIP
from tests.clip_model.tiny_models import CONFIGS, randomize


@pytest.fixture
def four_threads(monkeypatch):
    """Torch with four threads here and in new threads, and no thread of one core yet."""
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    single_thread._thread.cache_clear()
    yield
    single_thread._thread.cache_clear()
    torch.set_num_threads(threads)


def in_a_new_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def test_one_core_computes_and_all_others_keep_their_number(four_threads):
    assert on_one_core(torch.get_num_threads) == 1
    assert (torch.get_num_threads(), in_a_new_thread()) == (4, 4)
    assert on_one_core(torch.get_num_threads) == 1


def test_an_error_reaches_who_asked(four_threads):
    with pytest.raises(ZeroDivisionError):
        on_one_core(lambda: 1 // 0)


def test_when_python_ends_the_caller_computes(four_threads, monkeypatch):
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    monkeypatch.setattr(single_thread, "_thread", lambda: ended)
    monkeypatch.setattr(single_thread._thread, "cache_clear", lambda: None, raising=False)
    assert on_one_core(lambda: 7) == 7


def test_a_few_texts_take_one_core_and_many_take_all(four_threads, model):
    encoder, seen = Encoder(model, device="cpu", precision="fp32", batch_size=16), []
    encoder._model.transformer.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    encoder.encode_texts(["a dog", "a cat"])
    encoder.encode_texts([f"dog {number}" for number in range(ONE_CORE_TEXTS)])
    encoder.encode_texts([f"dog {number}" for number in range(ONE_CORE_TEXTS + 1)])
    assert seen == [1] * 5 + [4] * 5
    assert torch.get_num_threads() == 4


def test_those_that_come_first_at_once_leave_all_threads_their_number(four_threads, monkeypatch):
    take, all_here = single_thread._take_one, threading.Barrier(2)

    def take_slowly():
        take()
        with suppress(threading.BrokenBarrierError):
            all_here.wait(0.2)  # until a second one is as far, which it must not come to

    monkeypatch.setattr(single_thread, "_take_one", take_slowly)
    with ThreadPoolExecutor(8) as callers:
        assert set(callers.map(lambda _: on_one_core(torch.get_num_threads), range(8))) == {1}
    assert not all_here.n_waiting
    assert (all_here.broken, in_a_new_thread()) == (True, 4)


def test_a_text_waits_for_one_batch_of_others_at_most(four_threads, model):
    encoder, jobs = Encoder(model, device="cpu", precision="fp32", batch_size=16), []
    thread = single_thread._thread()
    submit = thread.submit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thread, "submit", lambda compute: jobs.append(compute) or submit(compute))
        texts = [f"a dog number {'very ' * (number % 7)}{number}" for number in range(ONE_CORE_TEXTS)]
        together = encoder.encode_texts(texts)
    assert len(jobs) == ONE_CORE_TEXTS / 16
    for number in (0, 17, 63):
        assert together[number] == pytest.approx(encoder.encode_texts([texts[number]])[0], abs=1e-5)


def test_a_text_does_not_wait_for_pictures(model):
    encoder = Encoder(model, device="cpu", precision="fp32")
    with encoder._turn:  # a batch of pictures is being computed
        assert encoder.encode_texts(["a dog"]).shape == (1, encoder.dim)


def test_as_many_texts_as_can_wait_take_one_core_beside_convolutions_too(four_threads):
    encoder = Encoder(randomize(CLIP(CONFIGS["resnet"])), device="cpu", precision="fp32")
    seen = []
    encoder._model.transformer.register_forward_hook(
        lambda _module, _given, out: seen.append((out.shape[0], torch.get_num_threads()))
    )
    encoder.encode_texts([f"dog {number}" for number in range(40)])  # anyio's threads
    assert seen == [(32, 1), (8, 1)]
    assert encoder.batch_size == 16
