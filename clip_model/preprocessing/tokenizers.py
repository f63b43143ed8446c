"""Which tokenizer a text tower reads: CLIP's byte pairs, BERT's pieces, or one that the model's file carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clip_model.config import CLIP_TEXTS, TextConfig

if TYPE_CHECKING:
    from clip_model.preprocessing.pieces import PieceTokenizer
    from clip_model.preprocessing.tokenizer import Tokenizer
    from clip_model.preprocessing.wordpiece import WordPiece


def tokenizer_of(
    config: TextConfig, data: bytes | None = None, source: str = "the model"
) -> Tokenizer | WordPiece | PieceTokenizer:
    """The tokenizer for a text tower, at its context length; the others are not even imported.

    Args:
        config: of the tower.
        data: what the model's file carries of one, see `pieces.py`; None where it carries none.
        source: what a message calls the model.

    Raises:
        ValueError: if the tower has another vocabulary than the tokenizer, or needs one that is not there or damaged.
    """
    try:
        return _tokenizer_of(config, data)
    except ValueError as error:
        raise ValueError(f"{source} cannot be used: {error}") from error


def _tokenizer_of(config: TextConfig, data: bytes | None) -> Tokenizer | WordPiece | PieceTokenizer:
    if config.kind not in (*CLIP_TEXTS, "sentence"):
        from clip_model.preprocessing.pieces import PieceTokenizer

        if data is None:
            raise ValueError("the file of a SigLIP or RoBERTa carries its tokenizer, and this one has none")
        return PieceTokenizer(data, config.context_length, config.vocab_size)
    kind: type[Tokenizer | WordPiece]
    if config.kind == "sentence":
        from clip_model.preprocessing.wordpiece import WordPiece as kind  # noqa: N813
    else:
        from clip_model.preprocessing.tokenizer import Tokenizer as kind  # noqa: N813
    if config.vocab_size != kind.vocabulary_size:
        raise ValueError(f"the model has a vocabulary of {config.vocab_size}, the tokenizer has {kind.vocabulary_size}")
    return kind(config.context_length)
