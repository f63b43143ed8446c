import pytest
import torch

from clip_model.preprocessing.tokenizer import EOT, SOT, default_tokenizer
from clip_model.sizes.presets import PRESETS
from clip_model.towers.text import TextTransformer
from tests.clip_model.open_clip_models import reference_of
from tests.clip_model.tiny_models import CONFIGS, random_clip

TEXTS = ["", "a dog", "two dogs play on a beach at sunset", "ein sehr langer Satz " * 30, "🏳️‍🌈 'ſ", "a dog"]


@pytest.mark.parametrize("count", [1, 3, 6])
def test_features_equal_open_clips(model, count):
    tokens = default_tokenizer()(TEXTS[:count])
    with torch.inference_mode():
        ours, theirs = model.encode_text(tokens), reference_of(model).encode_text(tokens)
    assert ours.shape == (count, 24)
    assert theirs.abs().mean() > 0.1
    assert (ours - theirs).abs().max() <= 1e-5


def test_what_follows_the_end_of_text_changes_nothing():
    model = random_clip(CONFIGS["vit"])
    tokens = default_tokenizer()(["a dog", "a cat on a mat"])
    after_the_end = tokens.clone()
    after_the_end[0, 5:] = 7
    with torch.inference_mode():
        assert torch.allclose(model.encode_text(after_the_end), model.encode_text(tokens), atol=1e-6)
        assert torch.allclose(model.encode_text(tokens[:1]), model.encode_text(tokens)[:1], atol=1e-6)


def test_only_positions_up_to_the_last_end_are_computed():
    model, seen = TextTransformer(CONFIGS["vit"]), []
    model.transformer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    model.encode_text(default_tokenizer()(["a", "a big dog"]))
    assert seen == [(2, 5, 32)]


def test_the_token_with_the_largest_id_is_where_a_text_is_pooled():
    model = random_clip(CONFIGS["vit"])
    row = torch.tensor([[SOT, 320, EOT, 320, EOT, 0]])
    with torch.inference_mode():
        assert torch.equal(model.encode_text(row), model.encode_text(row[:, :3]))


def test_too_many_positions_are_refused():
    model = TextTransformer(CONFIGS["vit"])
    with pytest.raises(ValueError, match="78 positions, but the context is 77"):
        model.encode_text(torch.zeros(1, 78, dtype=torch.int64))


def test_parameter_names_are_openais():
    names = set(TextTransformer(PRESETS["ViT-B-32"]).state_dict())
    assert {"token_embedding.weight", "positional_embedding", "ln_final.weight", "text_projection"} <= names
    assert "transformer.resblocks.11.attn.in_proj_weight" in names
    assert len(names) == 5 + 12 * 12
