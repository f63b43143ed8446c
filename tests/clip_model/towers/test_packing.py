import copy

import pytest
import torch

from clip_model.towers import packing
from clip_model.towers.cells import cell_features
from clip_model.towers.folding import made_ready
from clip_model.towers.packing import PackedLinear, pack, packs
from clip_model.towers.transformer import Transformer
from tests.clip_model.tiny_models import CONFIGS, MOBILE, OURS, random_clip

ALL = {**CONFIGS, **MOBILE, **OURS}
CPU = torch.device("cpu")
needs_packing = pytest.mark.skipif(not packs(torch.float32), reason="oneDNN packs no weights on this processor")


def ready(model, dtype=torch.float32):
    made = copy.deepcopy(model)
    made_ready(made, made.visual, CPU, dtype)
    return made


@needs_packing
@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("count", [1, 3])
def test_a_packed_model_computes_the_same(name, count):
    model = random_clip(ALL[name])
    side, bound = ALL[name].vision.image_size, 1e-4 if name.startswith("fastvit") else 2e-5  # whose branches are folded
    pixels, tokens = torch.randn(count, 3, side, side), torch.randint(2, 40, (count, 9))
    with torch.inference_mode():
        packed = ready(model)
        for got, expected in (
            (packed.encode_image(pixels), model.encode_image(pixels)),
            (packed.encode_text(tokens), model.encode_text(tokens)),
            (cell_features(packed.visual, pixels), cell_features(model.visual, pixels)),
        ):
            assert expected.abs().mean() > 1e-3
            assert (got - expected).abs().max() <= bound * expected.abs().max()
    assert any(isinstance(module, PackedLinear) for module in packed.modules())


@needs_packing
@pytest.mark.parametrize(
    "activation", [torch.nn.GELU(), torch.nn.GELU(approximate="tanh"), torch.nn.SiLU(), torch.nn.Tanh()]
)
def test_any_activation_stays_what_it_is(activation):
    torch.manual_seed(0)
    transformer, x = Transformer(16, layers=2, heads=2, quick_gelu=False, inner=24), torch.randn(2, 5, 16)
    for block in transformer.resblocks:
        block.mlp.gelu = activation
    with torch.inference_mode():
        expected = transformer(x)
        pack(transformer)
        assert torch.allclose(transformer(x), expected, atol=1e-5)


@needs_packing
def test_pictures_that_patches_do_not_fill_lose_their_rims_as_by_the_convolution():
    tower = random_clip(CONFIGS["vit"]).visual
    pixels = torch.randn(2, 3, 8 * 4 + 5, 8 * 4 + 3)
    with torch.inference_mode():
        expected = tower(pixels)
        pack(tower)
        assert torch.allclose(tower(pixels), expected, atol=1e-5)


@needs_packing
def test_plain_weights_are_not_kept_beside_the_packed_ones():
    packed = ready(random_clip(CONFIGS["vit"])).visual
    left = {name for name, value in packed.named_parameters() if value.dim() > 1}
    assert left == {"positional_embedding", "proj"}


@needs_packing
def test_the_model_that_was_given_stays_as_it_is():
    model = random_clip(CONFIGS["vit"])
    before = copy.deepcopy(model.state_dict())
    ready(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("machine", ["aarch64", "riscv64"])
def test_nothing_is_packed_where_it_was_not_tried(monkeypatch, machine):
    monkeypatch.setattr(packing.platform, "machine", lambda: machine)
    assert not packing._are_right.__wrapped__(torch.float32)


def test_nothing_is_packed_in_other_number_formats():
    assert not packs(torch.float16)


@pytest.mark.parametrize(
    "wrong", [AttributeError("no such operator"), RuntimeError("not on this processor"), 1.0, "shape"]
)
def test_operators_that_are_gone_or_wrong_are_not_used(monkeypatch, wrong):
    def forward(self, x):
        if isinstance(wrong, Exception):
            raise wrong
        return x if wrong == "shape" else torch.full((*x.shape[:-1], 16), wrong)

    monkeypatch.setattr(PackedLinear, "forward", forward)
    assert not packing._are_right.__wrapped__(torch.float32)


@needs_packing
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wrong", ["the other GELU", "a little off", "no number"])
def test_what_is_a_little_wrong_is_not_used_either(monkeypatch, dtype, wrong):
    computed = PackedLinear.forward

    def forward(self, x):
        if wrong == "the other GELU" and self._activation[0] == "gelu":
            self._activation = ("gelu", "tanh" if self._activation[1] == "none" else "none")
        return computed(self, x) * {"a little off": 1.001, "no number": float("nan")}.get(wrong, 1)

    packing._are_right.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(PackedLinear, "forward", forward)
        assert not packs(dtype)
    packing._are_right.cache_clear()


@needs_packing
def test_nothing_is_packed_where_onednn_is_off():
    torch._C._set_mkldnn_enabled(False)
    try:
        assert not packs(torch.float32)
    finally:
        torch._C._set_mkldnn_enabled(True)
    assert packs(torch.float32)


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("make", [copy.deepcopy, ready])
def test_nothing_in_is_nothing_out(name, make):
    model, side = make(random_clip(ALL[name])), ALL[name].vision.image_size
    with torch.inference_mode():
        pixels, tokens = model.encode_image(torch.zeros(0, 3, side, side)), torch.zeros(0, 9, dtype=torch.int64)
        assert pixels.shape == model.encode_text(tokens).shape == (0, ALL[name].embed_dim)


def test_a_model_runs_without_them(monkeypatch):
    monkeypatch.setattr("clip_model.towers.folding.packs", lambda dtype: False)
    model, tokens = random_clip(CONFIGS["vit"]), torch.randint(2, 40, (2, 7))
    with torch.inference_mode():
        assert torch.equal(ready(model).encode_text(tokens), model.encode_text(tokens))


@needs_packing
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_text_has_the_same_vector_whether_its_neighbour_is_as_long_or_not(dtype):
    if not packs(dtype):
        pytest.skip("oneDNN packs none of this format on this processor")
    packed = ready(random_clip(OURS["efficientnet"]), dtype).text
    assert not any(isinstance(module, torch.nn.Linear) for module in packed.modules())
    rows = torch.randint(3, 40, (2, 6))
    shorter = rows * (torch.arange(6) < torch.tensor([[6], [4]]))
    with torch.inference_mode():
        assert torch.equal(packed(rows)[0], packed(shorter)[0])  # in bfloat16 other products would show
