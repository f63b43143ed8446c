"""A bidirectional text tower: token ids to the mean of all positions, and through a head into the shared space.

It is all-MiniLM-L6-v2 (Apache-2.0) where it is filled by `load_sentence_weights`: BERT's layers (Devlin et al. 2019,
arXiv 1810.04805) with mean pooling (Reimers and Gurevych 2019, arXiv 1908.10084). It tokenizes nothing.

Legend: b batch, s positions, d channels, e dimension of the shared space.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from clip_model.config import CLIPConfig
from clip_model.towers.head import Head
from clip_model.towers.transformer import MLP, Attention

PAD = 0
_EPSILON = 1e-12  # of BERT's layer norms
# Ours -> theirs, within one block.
_NAMES = {
    "attn.out_proj": "attention.output.dense",
    "ln_1": "attention.output.LayerNorm",
    "mlp.c_fc": "intermediate.dense",
    "mlp.c_proj": "output.dense",
    "ln_2": "output.LayerNorm",
}


class PostNormBlock(nn.Module):
    """Attention and MLP, each added to its input and then normalised."""

    def __init__(self, width: int, heads: int, *, epsilon: float = _EPSILON, inner: int = 0) -> None:
        """`width` channels, `heads` heads, `inner` channels inside the MLP, 0 for four times as many."""
        super().__init__()
        self.attn = Attention(width, heads)
        self.ln_1 = nn.LayerNorm(width, eps=epsilon)
        self.mlp = MLP(width, quick_gelu=False, inner=inner)
        self.ln_2 = nn.LayerNorm(width, eps=epsilon)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(b, s, d), (b, 1, 1, s) or None where all positions are seen -> (b, s, d)."""
        x = self.ln_1(x + self.attn(x, False, mask))
        out: Tensor = self.ln_2(x + self.mlp(x))
        return out


class SentenceTower(nn.Module):
    """Tokens to sentence vectors to raw features."""

    def __init__(self, config: CLIPConfig) -> None:
        """Build the tower that `config.text` describes."""
        super().__init__()
        t = config.text
        self.token_embedding = nn.Embedding(t.vocab_size, t.width)
        self.positional_embedding = nn.Parameter(torch.empty(t.context_length, t.width))
        self.ln_embedding = nn.LayerNorm(t.width, eps=_EPSILON)
        self.blocks = nn.ModuleList(PostNormBlock(t.width, t.heads) for _ in range(t.layers))
        self.head = Head(t.width, t.hidden, config.embed_dim)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.02)
        for block in self.blocks:
            nn.init.normal_(block.attn.in_proj_weight, std=0.02)  # type: ignore[union-attr,arg-type]

    def forward(self, tokens: Tensor) -> Tensor:
        """(b, s) int64, padded with `PAD` -> (b, e) float, raw features."""
        return self.computed(*self.prepared(tokens))

    def vectors(self, tokens: Tensor) -> Tensor:
        """(b, s) int64, padded with `PAD` -> (b, d) float, unit length: the sentence vectors.

        Raises:
            ValueError: when there are more positions than the context has.
        """
        return self._vectors(*self.prepared(tokens))

    def prepared(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """(b, s) int64 -> the positions (b, t) up to the last that any text has; and which are seen, if not all.

        Raises:
            ValueError: when there are more positions than the context has.
        """
        if tokens.shape[1] > len(self.positional_embedding):
            raise ValueError(
                f"texts of {tokens.shape[1]} positions, but the context is {len(self.positional_embedding)}"
            )
        known = tokens.cpu().numpy() != PAD  # NumPy looks at a few numbers without leaving Python to other threads
        length = max(1, int(known.sum(axis=1).max(initial=0)))
        tokens, known = tokens[:, :length], known[:, :length]
        return (tokens,) if known.all() else (tokens, torch.from_numpy(known).to(tokens.device))

    def computed(self, tokens: Tensor, seen: Tensor | None = None) -> Tensor:
        """(b, t) int64, and (b, t) bool where not all are seen -> (b, e) float, raw features."""
        features: Tensor = self.head(self._vectors(tokens, seen))
        return features

    def _vectors(self, tokens: Tensor, seen: Tensor | None = None) -> Tensor:
        mask = None if seen is None else seen[:, None, None]
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        x = self.ln_embedding(x)  # [b, t, d]
        for block in self.blocks:
            x = block(x, mask)
        weights = (torch.ones_like(tokens) if seen is None else seen).unsqueeze(2).to(x.dtype)
        return F.normalize((x * weights).sum(dim=1) / weights.sum(dim=1), dim=-1)  # [b, d]


def load_sentence_weights(tower: SentenceTower, path: Path) -> None:
    """Fill everything but the head with a BERT's weights, such as those of all-MiniLM-L6-v2.

    Args:
        tower: of the same width, depth and vocabulary; its context may be shorter.
        path: a safetensors file with the tensor names of Hugging Face's `BertModel`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a tensor is missing, left over, or of another shape.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no sentence encoder's weights at {path}")
    saved = {name: value for name, value in load_file(path).items() if name != "embeddings.position_ids"}
    try:
        weights = _renamed(saved, len(tower.blocks), len(tower.positional_embedding))
    except KeyError as error:
        raise ValueError(f"{path} holds another network: the tensor {error} is missing") from error
    own = {name: value for name, value in tower.state_dict().items() if not name.startswith("head.")}
    wrong = [n for n in sorted(own.keys() | weights.keys()) if n not in own or own[n].shape != weights[n].shape]
    left = [name for name in saved if not name.startswith("pooler.")]
    if wrong or left:
        raise ValueError(f"{path} holds another network: {[*wrong, *left][:5]} do not fit")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(weights[name])


def _renamed(saved: dict[str, Tensor], layers: int, context: int) -> Mapping[str, Tensor]:
    """Take BERT's tensors out of `saved` under our names."""
    # Every text is of BERT's first type, whose embedding each position gets.
    kind = saved.pop("embeddings.token_type_embeddings.weight")[0]
    weights = {
        "token_embedding.weight": saved.pop("embeddings.word_embeddings.weight"),
        "positional_embedding": saved.pop("embeddings.position_embeddings.weight")[:context] + kind,
    }
    for part in ("weight", "bias"):
        weights[f"ln_embedding.{part}"] = saved.pop(f"embeddings.LayerNorm.{part}")
        for i in range(layers):
            theirs, ours = f"encoder.layer.{i}", f"blocks.{i}"
            rows = [saved.pop(f"{theirs}.attention.self.{name}.{part}") for name in ("query", "key", "value")]
            weights[f"{ours}.attn.in_proj_{part}"] = torch.cat(rows)
            for name, other in _NAMES.items():
                weights[f"{ours}.{name}.{part}"] = saved.pop(f"{theirs}.{other}.{part}")
    return weights
