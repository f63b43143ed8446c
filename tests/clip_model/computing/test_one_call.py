"""A text tower in one call of torch's gives what it gave operator by operator, to the bit, or stays as it is."""

import copy
import gc
import weakref

import pytest
import torch

from clip_model.computing import one_call
from clip_model.computing.one_call import FEW_CALLS, Texts, in_one_call
from clip_model.inference import Encoder
from clip_model.towers.folding import made_ready
from clip_model.towers.packing import packs
from tests.clip_model.tiny_models import CONFIGS, MOBILE, OURS, random_clip

CPU = torch.device("cpu")
KINDS = {"causal": CONFIGS["vit"], "gelu": CONFIGS["vit-gelu"], "unmasked": MOBILE["fastvit"]}
KINDS["sentence"] = OURS["efficientnet"]


def ready(kind, dtype=torch.float32):
    model = copy.deepcopy(random_clip(KINDS[kind])).eval()
    made_ready(model, model.visual, CPU, dtype)
    return model


def texts(*lengths):
    """Tokens of texts of these lengths, as all kinds read them: the largest ends one, and zeros fill up."""
    tokens = torch.zeros(len(lengths), 12, dtype=torch.int64)
    for row, length in zip(tokens, lengths, strict=True):
        row[: length - 1] = torch.randint(2, 40, (length - 1,))
        row[length - 1] = 41
    return tokens


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_texts_come_all_bits_are_the_same(kind, dtype):
    model = ready(kind, dtype)
    noted = in_one_call(model.text_tower, [texts(4), texts(5, 3), texts(6, 6, 6)])
    if (kind, dtype) == ("unmasked", torch.bfloat16) and packs(dtype):
        assert noted is None  # it goes over parts of a batch, as many as that has
        return
    assert noted is not None
    for lengths in ([2], [12], [3, 3], [4, 9, 2], [5] * 7, [12, 2, 7, 12, 3]):
        tokens = texts(*lengths)
        with torch.inference_mode():
            assert torch.equal(noted(tokens), model.encode_text(tokens)), lengths


def test_what_no_sample_shows_is_computed_as_before():
    model = ready("sentence")
    noted = in_one_call(model.text_tower, [texts(4)])
    assert list(noted._graphs) == [1]
    with torch.inference_mode():
        assert torch.equal(noted(texts(3, 5)[:0]), model.encode_text(texts(3)[:0]))
        tokens = texts(4, 9)
        assert torch.equal(noted(tokens), model.encode_text(tokens))


def test_a_tower_that_would_give_other_bits_stays_as_it_is(monkeypatch):
    model = ready("sentence")
    computed = one_call._Traced.__call__
    monkeypatch.setattr(one_call._Traced, "__call__", lambda self, tokens: computed(self, tokens) * (1 + 1e-6))
    assert in_one_call(model.text_tower, [texts(4)]) is None


@pytest.mark.parametrize("error", [RuntimeError("Unsupported value kind: Tensor"), AttributeError("no trace")])
def test_so_does_one_that_cannot_be_noted_down(error, monkeypatch, caplog):
    def fails(*_given, **_more):
        raise error

    monkeypatch.setattr(torch._C, "_create_graph_by_tracing", fails)
    with caplog.at_level("INFO"):
        assert in_one_call(ready("sentence").text_tower, [texts(4)]) is None
    assert str(error) in caplog.text


def test_torch_keeps_nothing_of_a_tower_that_went():
    kept = torch.jit._state._python_cu.get_functions
    assert in_one_call(ready("sentence").text_tower, [texts(4)]) is not None  # the first leaves the product of all
    before = len(kept())
    noted = in_one_call(ready("sentence").text_tower, [texts(4), texts(5, 3)])
    weight = weakref.ref(noted._tower.token_embedding.weight)
    assert len(kept()) == before
    del noted
    gc.collect()
    assert weight() is None


def test_and_one_that_has_no_two_steps():
    assert in_one_call(torch.nn.Linear(2, 2), [texts(4)]) is None


def tokenize(words):
    return texts(*(len(word) % 11 + 2 for word in words))


@pytest.mark.parametrize(("device", "noted"), [("cpu", True), ("meta", False)])
def test_it_is_noted_down_where_many_ask_a_processor(device, noted, monkeypatch):
    model, asked = ready("sentence"), []
    monkeypatch.setattr(model, "encode_text", lambda tokens: asked.append(tokens.device.type) or tokens)
    run = Texts(model, tokenize, torch.device(device))
    with torch.inference_mode():
        for _ in range(FEW_CALLS + 3):
            run(texts(4))
    assert asked == [device] * (FEW_CALLS - 1 if noted else FEW_CALLS + 3)


def test_an_encoder_gives_the_same_before_and_after():
    encoder = Encoder(random_clip(OURS["efficientnet"]), device="cpu", precision="fp32")
    words = ["a dog", "two dogs on a beach", "a"]
    before = encoder.encode_texts(words)
    for _ in range(FEW_CALLS):
        encoder.encode_texts(["a dog"])
    assert encoder._encode_tokens._one_call is not None
    assert (encoder.encode_texts(words) == before).all()
    assert (encoder.encode_texts(words[1:2]) == before[1:2]).all()


def test_no_weight_is_held_by_python_alone_whose_lock_each_call_would_wait_for():
    noted = in_one_call(ready("sentence").text_tower, [texts(4)])
    weights = noted._graphs[1].args[1]
    assert len(weights) > 20
    assert all(weight._use_count() > 1 for weight in weights)
