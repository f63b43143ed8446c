"""A sentence tower's weights as a file of Hugging Face's BERT holds them."""

import torch


def bert(tower):
    """The tower's weights under BERT's names, with a longer context and two types of texts."""
    state, width = tower.state_dict(), tower.ln_embedding.normalized_shape[0]
    kinds = torch.randn(2, width)
    longer = torch.cat([state["positional_embedding"] - kinds[0], torch.randn(4, width)])
    saved = {
        "embeddings.position_ids": torch.arange(len(longer))[None],
        "embeddings.word_embeddings.weight": state["token_embedding.weight"],
        "embeddings.position_embeddings.weight": longer,
        "embeddings.token_type_embeddings.weight": kinds,
        "pooler.dense.weight": torch.zeros(2, 2),
    }
    for part in ("weight", "bias"):
        saved[f"embeddings.LayerNorm.{part}"] = state[f"ln_embedding.{part}"]
        for i in range(len(tower.blocks)):
            for name, rows in zip(
                ("query", "key", "value"), state[f"blocks.{i}.attn.in_proj_{part}"].chunk(3), strict=True
            ):
                saved[f"encoder.layer.{i}.attention.self.{name}.{part}"] = rows
            for ours, theirs in (
                ("attn.out_proj", "attention.output.dense"), ("ln_1", "attention.output.LayerNorm"),
                ("mlp.c_fc", "intermediate.dense"), ("mlp.c_proj", "output.dense"), ("ln_2", "output.LayerNorm"),
            ):  # fmt: skip
                saved[f"encoder.layer.{i}.{theirs}.{part}"] = state[f"blocks.{i}.{ours}.{part}"]
    return {name: value.clone().contiguous() for name, value in saved.items()}
