"""Text to token ids by a tokenizer that a model's file carries, run by the library `tokenizers`: SigLIP's, RoBERTa's.

What is carried is the model's own `tokenizer.json` in an envelope that says how texts are cleaned before, which ids
begin (of RoBERTa's alone) and end a text, and which fills the rest of the context.
Legend: n texts, s = context length.
"""

from __future__ import annotations

import html
import json
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ftfy
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

LOWER, CANONICAL, WHITESPACE = "lower", "canonical", "whitespace"
"""How texts are cleaned: lower-cased by the tokenizer itself, `canonical`, or `repaired`."""
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SPACE = re.compile(r"\s+")
_PROBES = ("", "Two dogs, one cat & a bird.", "犬 №5 é 🐕 \x00")
"""Texts that a tokenizer has to take before it is used: known words, and such as it has no pieces for."""


class PieceTokenizer:
    """A tokenizer of the library `tokenizers`; safe to call from several threads at once.

    Args:
        data: what `envelope` gave.
        context_length: tokens per text, the end mark included; longer texts are cut, shorter ones filled.
        vocabulary_size: entries of the tower's token embedding.

    Raises:
        ValueError: if the data is no such tokenizer, it fails on one of a few texts, or has ids that the tower has not.
    """

    def __init__(self, data: bytes, context_length: int, vocabulary_size: int) -> None:
        from tokenizers import Tokenizer, normalizers

        try:
            said = json.loads(data)
            self._clean, self._pad, self._end = str(said["clean"]), int(said["pad"]), int(said["end"])
            self._start = [int(said["start"])] if "start" in said else []
            whole = json.dumps(said["tokenizer"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"its tokenizer cannot be read: {error}") from error
        with _errors_of_the_library("its tokenizer cannot be read by the library tokenizers"):
            self._tokenizer = Tokenizer.from_str(whole)
            largest = max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        marks = (self._pad, self._end, *self._start)
        if max(largest, *marks) >= vocabulary_size or min(marks) < 0:
            raise ValueError(f"the model has a vocabulary of {vocabulary_size}, its tokenizer has {largest + 1}")
        if self._clean not in (LOWER, CANONICAL, WHITESPACE):
            raise ValueError(f"its tokenizer cleans texts by {self._clean!r}, which is not known")
        if self._clean == LOWER:
            own = self._tokenizer.normalizer
            lower = normalizers.Lowercase()
            self._tokenizer.normalizer = lower if own is None else normalizers.Sequence([lower, own])
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        for text in _PROBES:
            self.encode(text)
        self.context_length, self.vocabulary_size = context_length, vocabulary_size

    def __call__(self, texts: str | Sequence[str]) -> Tensor:
        """Encode texts, each with its marks, filled up.

        Returns:
            (n, s) int64. A text that is too long keeps its beginning; its last token is the end mark.
        """
        import torch  # by those who compute with it: ids can be had without

        return torch.from_numpy(self.ids(texts))

    def ids(self, texts: str | Sequence[str]) -> NDArray[np.int64]:
        """What a call gives, as an array."""
        texts = [texts] if isinstance(texts, str) else texts
        rows = np.full((len(texts), self.context_length), self._pad, dtype=np.int64)
        for row, text in zip(rows, texts, strict=True):
            room = self.context_length - 1 - len(self._start)
            tokens = [*self._start, *self.encode(text)[:room], self._end]
            row[: len(tokens)] = tokens
        return rows

    def lengths(self, tokens: Tensor) -> Tensor:
        """(n, s) -> (n,) int64: s for each of SigLIP's texts, whose padding counts; of RoBERTa's without padding."""
        import torch

        if not self._start:
            return torch.full((len(tokens),), tokens.shape[1], dtype=torch.int64)
        return (tokens != self._pad).sum(dim=1)

    def encode(self, text: str) -> list[int]:
        """Return the ids of the whole text, without marks and without a cut.

        Raises:
            ValueError: if the tokenizer fails on it.
        """
        if self._clean != LOWER:
            text = canonical(text) if self._clean == CANONICAL else repaired(text)
        # Half of a pair of UTF-16 is no text: what a file name's odd bytes became.
        whole = text.encode("utf-8", "replace").decode("utf-8")
        with _errors_of_the_library("its tokenizer cannot encode a text"):
            return list(self._tokenizer.encode(whole, add_special_tokens=False).ids)


def canonical(text: str) -> str:
    """The text in lower case, without ASCII's punctuation, its white space squeezed.

    Source: big_vision's `canonicalize_text`, with which SigLIP was evaluated, as transformers has it.
    """
    return _SPACE.sub(" ", text.lower().translate(_PUNCTUATION)).strip()


def repaired(text: str) -> str:
    """The text as open_clip cleans it for tokenizers of Hugging Face: as CLIP's, but in its own case."""
    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split())


def token_id(tokenizer: Mapping[str, Any], token: str) -> int | None:
    """The id of a token of the object in a `tokenizer.json`; None where it has none.

    Raises:
        ValueError: if the object is no tokenizer.
    """
    from tokenizers import Tokenizer

    with _errors_of_the_library("its tokenizer cannot be read by the library tokenizers"):
        number: int | None = Tokenizer.from_str(json.dumps(tokenizer)).token_to_id(token)
    return number


def token_of(tokenizer: Mapping[str, Any], number: int) -> str | None:
    """The token with an id, likewise."""
    from tokenizers import Tokenizer

    with _errors_of_the_library("its tokenizer cannot be read by the library tokenizers"):
        token: str | None = Tokenizer.from_str(json.dumps(tokenizer)).id_to_token(number)
    return token


@contextmanager
def _errors_of_the_library(what: str) -> Iterator[None]:
    """Have what the library raises be a ValueError: it has no class of its own, and a panic of Rust is no Exception."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{what}: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # which nothing exports
            raise
        raise ValueError(f"{what}: {error}") from error


def envelope(tokenizer: Mapping[str, Any], *, clean: str, pad: int, end: int, start: int | None = None) -> bytes:
    """What a model's file carries of its tokenizer.

    Args:
        tokenizer: the object in its `tokenizer.json`.
        clean: LOWER, CANONICAL or WHITESPACE.
        pad: the id that fills the context.
        end: the id that ends a text.
        start: the id that begins one; None where none does.
    """
    said = {
        "clean": clean,
        "end": end,
        "pad": pad,
        "tokenizer": tokenizer,
        **({} if start is None else {"start": start}),
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "surrogatepass")
