"""Which tokenizer a text tower reads: CLIP's byte pairs for the causal one, BERT's pieces for the bidirectional one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clip_model.config import TextConfig

if TYPE_CHECKING:
    from clip_model.preprocessing.tokenizer import Tokenizer
    from clip_model.preprocessing.wordpiece import WordPiece


def tokenizer_of(config: TextConfig) -> Tokenizer | WordPiece:
    """The tokenizer for a text tower, at its context length; the other one is not even imported.

    Raises:
        ValueError: if the tower has another vocabulary than the tokenizer.
    """
    kind: type[Tokenizer | WordPiece]
    if config.kind == "sentence":
        from clip_model.preprocessing.wordpiece import WordPiece as kind  # noqa: N813
    else:
        from clip_model.preprocessing.tokenizer import Tokenizer as kind  # noqa: N813
    if config.vocab_size != kind.vocabulary_size:
        raise ValueError(f"the model has a vocabulary of {config.vocab_size}, the tokenizer has {kind.vocabulary_size}")
    return kind(config.context_length)
