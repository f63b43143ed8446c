"""Small folders of SigLIP and SigLIP 2 with random weights, and tokenizers that were learned from a few sentences."""

import json
from functools import cache

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from tests.clip_model.open_clip_reference import transformers
from tests.clip_model.tiny_models import randomize

SENTENCES = [
    "two dogs on a beach at sunset", "a red bicycle leans at the wall", "people who dance in the rain",
    "ein Hund und eine Katze", "写真 の 犬", "the old harbour, seen from above", "café crème", "a photo of a cat",
] * 4  # fmt: skip
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
VISION = {
    "hidden_size": 32, "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
TEXT = {
    "hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 16, "vocab_size": 700,
}  # fmt: skip


@cache
def reference(seed=0, **text):
    """A SiglipModel of transformers in evaluation mode: one for all callers, which nobody changes."""
    given = {**TEXT, **text}
    config = transformers().SiglipConfig(
        text_config={**given, "projection_size": 32}, vision_config=VISION, logit_scale_init_value=1.0
    )
    return randomize(transformers().SiglipModel(config), seed)


@cache
def pieces():
    """SigLIP's kind of tokenizer: unigrams, a mark for each blank; T5's special tokens."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=special, unk_token="<unk>", show_progress=False)
    made.train_from_iterator(SENTENCES, trainer)
    return made


@cache
def byte_pairs():
    """The vocabulary and the merges of SigLIP 2's kind: bytes where a character is not known."""
    blanks = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    blanks.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "▁")])
    special = SPECIAL + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    blanks.train_from_iterator(SENTENCES, trainer)
    said = json.loads(blanks.to_str())["model"]
    return said["vocab"], [tuple(pair) for pair in said["merges"]]


def save_siglip(folder, seed=0):
    """A folder of SigLIP."""
    reference(seed).save_pretrained(folder)
    pieces().save(str(folder / "tokenizer.json"))
    said = {"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>", "eos_token": {"content": "</s>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    prepared = {"size": {"height": 32, "width": 32}, "resample": 3, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared))
    return folder


@cache
def siglip2_tokenizer():
    """transformers' tokenizer of SigLIP 2, set as its repositories set it."""
    vocab, merges = byte_pairs()
    return transformers().Siglip2Tokenizer(
        vocab, merges, add_bos_token=False, add_eos_token=True, padding_side="right", model_max_length=16
    )


def save_siglip2(folder, seed=0):
    """A folder of SigLIP 2."""
    reference(seed).save_pretrained(folder)
    siglip2_tokenizer().save_pretrained(folder)
    prepared = {"size": {"height": 32, "width": 32}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared))
    return folder
