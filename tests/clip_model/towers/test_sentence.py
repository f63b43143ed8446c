"""The bidirectional text tower: the same vectors as torch's own layers, whatever stands beside a text in its batch."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from clip_model.towers.sentence import SentenceTower, load_sentence_weights
from tests.clip_model.bert_files import bert
from tests.clip_model.tiny_models import OURS, randomize

CONFIG = OURS["efficientnet"]
T = CONFIG.text
TOKENS = torch.tensor([[101, 5, 7, 9, 102, 0], [101, 8, 102, 0, 0, 0], [101, 3, 4, 5, 6, 102]])


@pytest.fixture
def tower():
    return randomize(SentenceTower(CONFIG))


def reference(tower, tokens):
    """The same network out of `nn.TransformerEncoderLayer`, one text at a time and without padding."""
    rows = []
    for row in tokens:
        ids = row[row != 0]
        x = tower.ln_embedding(tower.token_embedding(ids) + tower.positional_embedding[: len(ids)])[None]
        for block in tower.blocks:
            layer = nn.TransformerEncoderLayer(
                T.width, T.heads, 4 * T.width, activation="gelu", batch_first=True, layer_norm_eps=1e-12
            ).eval()
            state = {f"self_attn.{name}": value for name, value in block.attn.state_dict().items()}
            for ours, theirs in (
                ("mlp.c_fc", "linear1"),
                ("mlp.c_proj", "linear2"),
                ("ln_1", "norm1"),
                ("ln_2", "norm2"),
            ):
                module = block.get_submodule(ours).state_dict()
                state |= {f"{theirs}.{name}": value for name, value in module.items()}
            layer.load_state_dict(state)
            x = layer(x)
        rows.append(F.normalize(x[0].mean(dim=0), dim=0))
    return torch.stack(rows)


def test_vectors_equal_torchs_own_layers(tower):
    with torch.no_grad():
        expected, got = reference(tower, TOKENS), tower.vectors(TOKENS)
    assert (expected[0] - expected[1]).abs().max() > 0.05
    assert (got - expected).abs().max() <= 1e-5
    assert torch.allclose(got.norm(dim=1), torch.ones(3))


def test_a_text_does_not_mind_its_neighbours(tower):
    with torch.no_grad():
        together, alone = tower(TOKENS), torch.cat([tower(row[None]) for row in TOKENS])
    assert torch.allclose(together, alone, atol=1e-5)


def test_later_words_reach_earlier_ones(tower):
    changed = TOKENS.clone()
    changed[2, 4] = 9
    with torch.no_grad():
        assert (tower(changed)[2] - tower(TOKENS)[2]).abs().max() > 1e-3


def test_a_text_longer_than_the_context_is_refused(tower):
    with pytest.raises(ValueError, match="17 positions, but the context is 16"):
        tower(torch.ones(1, 17, dtype=torch.int64))


def test_berts_weights_are_read_strictly_and_leave_the_head(tower, tmp_path):
    path, saved = tmp_path / "bert.safetensors", bert(tower)
    save_file(saved, path)
    fresh = SentenceTower(CONFIG).eval()
    head = {name: value.clone() for name, value in fresh.head.state_dict().items()}
    load_sentence_weights(fresh, path)
    with torch.no_grad():
        assert torch.allclose(fresh.vectors(TOKENS), tower.vectors(TOKENS), atol=1e-5)
    assert all(torch.equal(value, head[name]) for name, value in fresh.head.state_dict().items())
    for wrong in (
        saved | {"encoder.layer.2.output.dense.bias": torch.zeros(T.width)},
        saved | {"embeddings.word_embeddings.weight": torch.zeros(7, T.width)},
        {name: value for name, value in saved.items() if name != "encoder.layer.1.output.dense.bias"},
    ):
        save_file(wrong, path)
        with pytest.raises(ValueError, match="holds another network"):
            load_sentence_weights(fresh, path)
    with pytest.raises(FileNotFoundError, match="no sentence encoder's weights"):
        load_sentence_weights(fresh, tmp_path / "none.safetensors")
