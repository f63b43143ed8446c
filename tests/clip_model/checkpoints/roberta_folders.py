"""Small random models of open_clip with a RoBERTa of transformers for texts, and tokenizers of a few words."""

import json
from functools import cache
from pathlib import Path

from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from tests.clip_model.checkpoints.reference_models import VIT
from tests.clip_model.checkpoints.siglip_folders import SENTENCES
from tests.clip_model.open_clip_reference import open_clip, transformers
from tests.clip_model.tiny_models import Undrawn, randomize

VOCABULARY, WIDTH, HEADS, LAYERS = 400, 32, 2, 2
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
MARKS = [("<s>", 0), ("</s>", 2)]


@cache
def unigrams():
    """XLM-R's kind: unigrams over words that blanks begin."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    made.decoder = decoders.Metaspace()
    made.train_from_iterator(
        SENTENCES,
        trainers.UnigramTrainer(vocab_size=150, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False),
    )
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=MARKS)
    return made


@cache
def byte_pairs():
    """RoBERTa's kind: pairs of bytes."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=380, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(SENTENCES, trainer)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return made


def save_network(folder, kind="xlm-roberta"):
    """A folder that transformers reads as the configuration of a small network."""
    said = {
        "model_type": kind, "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "intermediate_size": 4 * WIDTH, "max_position_embeddings": 514,
        "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(said))
    return str(folder)


def text_cfg(network, pooler="mean_pooler", projection="mlp", **others):
    named = {"hf_model_name": network, "hf_tokenizer_name": network, "hf_model_pretrained": False}
    return {**named, "hf_pooler_type": pooler, "hf_proj_type": projection, **others}


def reference(text, dim=24, seed=0, **others):
    """A CustomTextCLIP of open_clip in evaluation mode: one for all callers, which nobody changes."""
    return _made(json.dumps({"embed_dim": dim, "vision_cfg": VIT, "text_cfg": text, **others}), seed)


@cache
def _made(said, seed):
    transformers()
    kind = open_clip().model.CustomTextCLIP
    with Undrawn():
        model = kind(**json.loads(said))
    return randomize(model, seed)


def save_folder(folder: Path, model, text, dim=24, tokenizer=None, **others):
    """What open_clip's `save_pretrained` writes of one."""
    folder.mkdir()
    said = {"embed_dim": dim, "vision_cfg": VIT, "text_cfg": text, **others}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": said}))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    (tokenizer or unigrams()).save(str(folder / "tokenizer.json"))
    return folder
