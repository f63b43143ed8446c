"""Text towers of open_clip's models that are a RoBERTa of Hugging Face, with the tokenizer that lies beside them.

`open_clip_config.json` names such a tower and does not say what it looks like, so that those with known names are
read, and no others: the number of heads, on which each feature depends, shows in no tensor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from clip_model.checkpoints.said import Said
from clip_model.checkpoints.sources import TOKENIZER_FILES, Source, read_json
from clip_model.checkpoints.weights import JOINED, is_counting, joined
from clip_model.config import TextConfig
from clip_model.preprocessing.pieces import WHITESPACE, envelope, token_id
from clip_model.towers.roberta import DENSE, FIRST, MEAN, PAD


@dataclass(frozen=True)
class Network:
    """Sizes that a name stands for; the MLPs are four times as wide."""

    vocab_size: int
    width: int
    heads: int
    layers: int


_BASE, _LARGE, _XLM_BASE, _XLM_LARGE = (
    Network(vocab_size, *sizes) for vocab_size in (50265, 250002) for sizes in ((768, 12, 12), (1024, 16, 24))
)
# As their config.json on the hub says.
NETWORKS: Mapping[str, Network] = {
    "roberta-base": _BASE,
    "roberta-large": _LARGE,
    "xlm-roberta-base": _XLM_BASE,
    "xlm-roberta-large": _XLM_LARGE,
    "FacebookAI/roberta-base": _BASE,
    "FacebookAI/roberta-large": _LARGE,
    "FacebookAI/xlm-roberta-base": _XLM_BASE,
    "FacebookAI/xlm-roberta-large": _XLM_LARGE,
}
_POOLERS = {"mean_pooler": MEAN, "cls_pooler": DENSE, "cls_last_hidden_state_pooler": FIRST}
_PROJECTIONS = ("mlp", "linear")
_PLAIN = {"output_tokens": (False,), "tokenizer_mode": ("",), "tokenizer_kwargs": ({},)}
_KNOWN = (
    "hf_model_name", "hf_tokenizer_name", "hf_model_pretrained", "hf_pooler_type", "hf_proj_type", "context_length",
    "pooler_type", "proj",
)  # fmt: skip
_LEAST_LENGTH = 3
_START, _END, _PAD = "<s>", "</s>", "<pad>"
TOKENIZER_CONFIG: Mapping[str, Any] = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    **{"bos_token": _START, "cls_token": _START, "eos_token": _END, "sep_token": _END, "pad_token": _PAD},
    "unk_token": "<unk>",
}
"""With which transformers runs a `tokenizer.json` as it is."""
_THEIRS, _OURS = "text.transformer.", "roberta_text."
_NAMES = {
    "embeddings.word_embeddings.weight": "token_embedding.weight",
    "embeddings.position_embeddings.weight": "positional_embedding",
    "embeddings.token_type_embeddings.weight": "type_embedding",
    **{f"embeddings.LayerNorm.{kind}": f"ln_embedding.{kind}" for kind in ("weight", "bias")},
    **{f"pooler.dense.{kind}": f"pooler.{kind}" for kind in ("weight", "bias")},
}
_PARTS = dict(
    zip(("attention.self.query", "attention.self.key", "attention.self.value"), JOINED, strict=True)
)  # theirs -> as `joined` calls them
_LAYERS = {
    "attention.output.dense": "attn.out_proj",
    "attention.output.LayerNorm": "ln_1",
    "intermediate.dense": "mlp.c_fc",
    "output.dense": "mlp.c_proj",
    "output.LayerNorm": "ln_2",
}
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.([\w.]+)\.(weight|bias)")
_BLOCK = re.compile(r"blocks\.(\d+)\.([\w.]+)[._](weight|bias)")


def text_config(text: Said, embed_dim: int) -> TextConfig:
    """The text tower that a `text_cfg` describes.

    Raises:
        ValueError: if it needs a network or a tokenizer that this program has not.
    """
    network = NETWORKS.get(str(text.get("hf_model_name")))
    if network is None:
        raise text.refusal("hf_model_name", f"of Hugging Face's text towers {', '.join(NETWORKS)} are known")
    text.only(_PLAIN, _KNOWN)
    told = str(text.get("hf_tokenizer_name", text.get("hf_model_name")))
    if told not in NETWORKS or NETWORKS[told].vocab_size != network.vocab_size:
        raise text.refusal("hf_tokenizer_name", "the text tower's own tokenizer is known alone")
    # The names without "hf_" are those of open_clip before 2.21, of when LAION's were published.
    pooler = text.get("hf_pooler_type", text.get("pooler_type", "mean_pooler"))
    projection = text.get("hf_proj_type", text.get("proj", "mlp"))
    if str(pooler) not in _POOLERS:
        raise text.refusal("hf_pooler_type", f"{', '.join(_POOLERS)} are known")
    if projection not in _PROJECTIONS:
        raise text.refusal("hf_proj_type", f"{', '.join(_PROJECTIONS)} are known")
    length = text.number("context_length", 77)
    if length < _LEAST_LENGTH:
        raise text.refusal("context_length", f"a text takes {_LEAST_LENGTH} at least, of which two are its marks")
    return TextConfig(
        context_length=length,
        vocab_size=network.vocab_size,
        width=network.width,
        heads=network.heads,
        layers=network.layers,
        kind=_POOLERS[pooler],
        hidden=(network.width + embed_dim) // 2 if projection == "mlp" else 0,
    )


def tokenizer_of(source: Source) -> bytes:
    """What a weights file of ours carries of the tokenizer that lies beside the weights.

    Raises:
        ValueError: if it is not there, or is none that the tower can be asked with.
    """
    path = next((file for file in source.configs if file.name == TOKENIZER_FILES[0]), None)
    if path is None:
        raise ValueError(
            f"{source.path} lacks {TOKENIZER_FILES[0]}: a text tower of Hugging Face has a tokenizer of its own, which "
            "lies beside the weights"
        )
    tokenizer = read_json(path)
    start, end, pad = ids = [token_id(tokenizer, name) for name in (_START, _END, _PAD)]
    if start is None or end is None or pad != PAD:
        raise ValueError(f"{path} is no RoBERTa's: {_START}, {_END} and {_PAD} have the ids {ids}, not 0, 2 and {PAD}")
    return envelope(tokenizer, clean=WHITESPACE, pad=pad, end=end, start=start)


def renamed(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors under our names; those that are none of such a model's stay as they are.

    Raises:
        ValueError: if a layer lacks its queries, keys or values.
    """
    ours: dict[str, Tensor] = {}
    apart: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        theirs = name.removeprefix(_THEIRS)
        layer = _LAYER.fullmatch(theirs)
        if theirs == name:
            ours[name.replace("text.proj.", f"{_OURS}proj.", 1) if name.startswith("text.proj.") else name] = value
        elif layer is not None:
            number, part, kind = layer.groups()
            block = f"{_OURS}blocks.{number}"
            if part in _PARTS:
                apart.setdefault(f"{block}.attn.in_proj_{kind}", {})[_PARTS[part]] = value
            else:
                ours[f"{block}.{_LAYERS.get(part, part)}.{kind}"] = value
        elif not is_counting(name, value):
            known = _NAMES.get(theirs)
            flat = known == "type_embedding" and value.dim() == 2 and len(value) == 1
            ours[name if known is None else _OURS + known] = value[0] if flat else value
    return {**ours, **joined(apart, source)}


def their_text_config(text: TextConfig) -> dict[str, Any]:
    """The `text_cfg` of a tower; the inverse of `text_config`.

    Raises:
        ValueError: if no known network has its sizes.
    """
    sizes = Network(text.vocab_size, text.width, text.heads, text.layers)
    name = next((name for name, network in NETWORKS.items() if network == sizes), None)
    if name is None:
        raise ValueError(f"no text tower of Hugging Face that has a name has the sizes {sizes}")
    return {
        "hf_model_name": name,
        "hf_tokenizer_name": name,
        "hf_model_pretrained": False,
        "hf_pooler_type": next(theirs for theirs, ours in _POOLERS.items() if ours == text.kind),
        "hf_proj_type": "mlp" if text.hidden else "linear",
        "context_length": text.context_length,
    }


def their_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under open_clip's names: the inverse of `renamed`."""
    names = {ours: theirs for theirs, ours in _NAMES.items()}
    layers = {ours: theirs for theirs, ours in _LAYERS.items()}
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        ours = name.removeprefix(_OURS)
        block = _BLOCK.fullmatch(ours)
        if ours == name:
            found[name] = value
        elif block is not None and block[2] == "attn.in_proj":
            prefix = f"{_THEIRS}encoder.layer.{block[1]}"
            found |= {f"{prefix}.{part}.{block[3]}": rows for part, rows in zip(_PARTS, value.chunk(3), strict=True)}
        elif block is not None:
            found[f"{_THEIRS}encoder.layer.{block[1]}.{layers[block[2]]}.{block[3]}"] = value
        elif ours in names:
            found[_THEIRS + names[ours]] = value[None] if ours == "type_embedding" else value
        else:
            found[f"text.{ours}"] = value  # the projection
    return found


def their_tokenizer(carried: bytes) -> bytes:
    """The `tokenizer.json` that a weights file carries."""
    return json.dumps(json.loads(carried)["tokenizer"], ensure_ascii=False).encode("utf-8", "surrogatepass")
