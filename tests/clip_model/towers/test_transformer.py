import pytest
import torch

from clip_model.towers.transformer import Attention, QuickGELU, Transformer


def test_attention_equals_torchs_own():
    torch.manual_seed(0)
    ours, theirs = Attention(24, heads=3), torch.nn.MultiheadAttention(24, 3, batch_first=True)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, 7, 24)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(7)
    for causal in (False, True):
        expected, _ = theirs(x, x, x, attn_mask=mask if causal else None, need_weights=False)
        assert torch.allclose(ours(x, causal), expected, atol=1e-6)


def test_no_position_sees_a_later_one_where_causal():
    torch.manual_seed(0)
    transformer = Transformer(16, layers=2, heads=2, quick_gelu=True)
    x = torch.randn(1, 6, 16)
    changed = x.clone()
    changed[:, 4:] += 1
    difference = (transformer(x, causal=True) - transformer(changed, causal=True)).abs().amax(dim=(0, 2))
    assert difference[:4].max() == 0
    assert difference[4:].min() > 0
    everywhere = (transformer(x) - transformer(changed)).abs().amax(dim=(0, 2))
    assert everywhere.min() > 0


@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize("causal", [False, True])
def test_one_position_is_what_it_is_among_all(layers, causal):
    torch.manual_seed(0)
    transformer, x = Transformer(16, layers, 2, True, scaled=layers > 0), torch.randn(3, 6, 16)
    every = transformer(x, causal)
    for at in (0, 5, -1, torch.tensor([0, 5, 2])):
        expected = every[torch.arange(3), at]
        assert torch.allclose(transformer(x, causal, at), expected, atol=1e-6)
    with pytest.raises(IndexError):
        transformer(x, causal, 6)


def test_every_parameter_gets_a_gradient():
    transformer = Transformer(16, layers=2, heads=2, quick_gelu=False)
    transformer(torch.randn(2, 5, 16), causal=True).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in transformer.parameters())


def test_quick_gelu_is_the_logistic_approximation():
    assert QuickGELU()(torch.tensor(1.0)).item() == pytest.approx(0.845795, abs=1e-6)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("at", [0, 5, torch.tensor([3, 0, 5])])
def test_one_position_alone_is_what_it_is_among_all(causal, at):
    torch.manual_seed(0)
    transformer, x = Transformer(16, layers=3, heads=2, quick_gelu=True), torch.randn(3, 6, 16)
    rows = at if isinstance(at, torch.Tensor) else torch.full((3,), at)
    expected = transformer(x, causal)[torch.arange(3), rows]
    got = transformer(x, causal, at=at)
    assert expected.abs().mean() > 0.01
    assert torch.allclose(got, expected, atol=1e-5)


def test_the_last_block_feeds_nothing_but_the_one_position_through_its_mlp():
    transformer, seen = Transformer(16, layers=2, heads=2, quick_gelu=True), []
    for block in transformer.resblocks:
        block.mlp.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    transformer(torch.randn(3, 6, 16), at=0)
    assert seen == [(3, 6, 16), (3, 1, 16)]
