"""Text to token ids by BERT's WordPiece: 30,522 entries, lower-cased, without accents, cut at the context length.

The ids equal those of Hugging Face's `BertTokenizer` (uncased), except that a mark such as '[SEP]' is plain text here.
Source: Devlin et al. 2019 (arXiv 1810.04805) and the tokenizer that was published with it.
Legend: n texts, s = context length.
"""

from __future__ import annotations

import gzip
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

PAD, UNKNOWN, START, END = 0, 100, 101, 102
VOCABULARY_SIZE = 30522
_LONGEST_WORD = 100  # characters; longer ones are unknown as a whole
_CACHED_WORDS = 65_536
# Blocks of CJK ideographs, each of which is a word; Hangul and kana are written with spaces or are pieces.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPiece:
    """BERT's tokenizer; safe to call from several threads at once.

    Args:
        context_length: tokens per text, start and end marks included; longer texts are cut.

    Raises:
        ValueError: if the context has no room for the two marks.
    """

    vocabulary_size = VOCABULARY_SIZE

    def __init__(self, context_length: int = 128) -> None:
        if context_length < 2:
            raise ValueError(f"context_length must be at least 2 (a start and an end mark), got {context_length}")
        self.context_length = context_length
        self._pieces = _vocabulary()
        self._cached_word = lru_cache(maxsize=_CACHED_WORDS)(self._encode_word)

    def __call__(self, texts: str | Sequence[str]) -> Tensor:
        """Encode texts between start and end marks, padded with zeros.

        Returns:
            (n, s) int64. A text that is too long keeps its beginning; its last token is the end mark.
        """
        import torch  # by those who compute with it: ids can be had without

        return torch.from_numpy(self.ids(texts))

    def ids(self, texts: str | Sequence[str]) -> NDArray[np.int64]:
        """What a call gives, as an array."""
        texts = [texts] if isinstance(texts, str) else texts
        rows = np.zeros((len(texts), self.context_length), dtype=np.int64)
        for row, text in zip(rows, texts, strict=True):
            tokens = [START, *self._tokens(text, limit=self.context_length - 2), END]
            row[: len(tokens)] = tokens
        return rows

    @staticmethod
    def lengths(tokens: Tensor) -> Tensor:
        """(n, s) -> (n,) int64: tokens of each text, both marks included."""
        return (tokens != PAD).sum(dim=1)

    def encode(self, text: str) -> list[int]:
        """Return the ids of the whole text, without marks and without a cut."""
        return self._tokens(text, limit=None)

    def _tokens(self, text: str, limit: int | None) -> list[int]:
        tokens: list[int] = []
        for word in _words(text):
            tokens.extend(self._cached_word(word) if len(word) <= _LONGEST_WORD else (UNKNOWN,))
            if limit is not None and len(tokens) >= limit:
                return tokens[:limit]
        return tokens

    def _encode_word(self, word: str) -> tuple[int, ...]:
        """The longest piece that the word begins with, then the longest continuation, until nothing is left."""
        ids, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self._pieces.get(word[start:end] if start == 0 else f"##{word[start:end]}")
                if piece is not None:
                    break
            else:
                return (UNKNOWN,)
            ids.append(piece)
            start = end
        return tuple(ids)


def _words(text: str) -> Iterator[str]:
    for chunk in _plain(text).split():
        word = ""
        for character in chunk:
            if not _stands_alone(character):
                word += character
                continue
            if word:
                yield word
            yield character
            word = ""
        if word:
            yield word


def _plain(text: str) -> str:
    """Lower-cased, without accents and control characters."""
    kept = "".join(" " if character in "\t\n\r" else character for character in text if not _is_control(character))
    apart = unicodedata.normalize("NFD", kept)
    # One by one, since a whole word's final sigma would become another letter.
    return "".join(character.lower() for character in apart if unicodedata.category(character) != "Mn")


def _is_control(character: str) -> bool:
    if character in "\t\n\r":
        return False
    return character in "\0\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co")


@lru_cache(maxsize=8192)
def _stands_alone(character: str) -> bool:
    code = ord(character)
    if code < 128:
        return not character.isalnum()
    return unicodedata.category(character).startswith("P") or any(low <= code <= high for low, high in _IDEOGRAPHS)


@lru_cache(maxsize=1)
def _vocabulary() -> Mapping[str, int]:
    """Read BERT's pieces from the package data: piece -> id."""
    packed = resources.files("clip_model").joinpath("data", "bert_uncased_vocab.txt.gz").read_bytes()
    return {piece: i for i, piece in enumerate(gzip.decompress(packed).decode("utf-8").split("\n")[:VOCABULARY_SIZE])}
