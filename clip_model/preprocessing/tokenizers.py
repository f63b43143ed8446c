"""Which tokenizer a text tower reads: CLIP's byte pairs for the causal one, BERT's pieces for the bidirectional one."""

from __future__ import annotations

from clip_model.config import TextConfig
from clip_model.preprocessing.tokenizer import Tokenizer
from clip_model.preprocessing.wordpiece import WordPiece


def tokenizer_of(config: TextConfig) -> Tokenizer | WordPiece:
    """The tokenizer for a text tower, at its context length.

    Raises:
        ValueError: if the tower has another vocabulary than the tokenizer.
    """
    kind = WordPiece if config.kind == "sentence" else Tokenizer
    if config.vocab_size != kind.vocabulary_size:
        raise ValueError(f"the model has a vocabulary of {config.vocab_size}, the tokenizer has {kind.vocabulary_size}")
    return kind(config.context_length)
