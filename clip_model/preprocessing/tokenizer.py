"""Text to token ids by CLIP's byte-pair encoding: 49,408 entries, lower-cased, cut at the context length.

The ids equal those of OpenAI's and open_clip's tokenizers. It doesn't turn ids back into text, and learns no merges.
Legend: n texts, s = context length.
"""

from __future__ import annotations

import gzip
import heapq
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import ftfy
import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

SOT = 49406
EOT = 49407
MARKS = ("<|startoftext|>", "<|endoftext|>")
"""What transformers calls these two."""
VOCABULARY_SIZE = 49408

_BYTES = 256
_FIRST_MERGE = 2 * _BYTES  # ids below: the bytes inside a word, then the bytes that end a word
_MERGES = SOT - _FIRST_MERGE
_MERGES_BYTES = 600_000  # of the unpacked file, which hold them
_WORD_END = "</w>"
_SPECIAL = {"<start_of_text>": SOT, "<end_of_text>": EOT}
_WORD = regex.compile(
    "|".join(_SPECIAL) + r"|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
)
_CACHED_WORDS = 65_536
_LONGEST_CACHED_WORD = 64  # bytes; longer ones are rare, and would let strange input fill the memory


class MergeTable(Protocol):
    """What `merge` asks: a dict of pairs of ids is one too."""

    def get(self, pair: tuple[int, int], /) -> int | None:
        """The id of the joined symbol; None where the pair is not joined."""
        ...


class Tokenizer:
    """CLIP's tokenizer; safe to call from several threads at once.

    Args:
        context_length: tokens per text, start and end marks included; longer texts are cut.

    Raises:
        ValueError: if the context has no room for the two marks.
    """

    vocabulary_size = VOCABULARY_SIZE

    def __init__(self, context_length: int = 77) -> None:
        if context_length < 2:
            raise ValueError(f"context_length must be at least 2 (a start and an end mark), got {context_length}")
        self.context_length = context_length
        self._merges = _merge_table()
        self._byte_ids = {byte: i for i, byte in enumerate(_byte_alphabet())}  # 256 more for a byte that ends a word
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
            tokens = [SOT, *self._tokens(text, limit=self.context_length - 2), EOT]
            row[: len(tokens)] = tokens
        return rows

    @staticmethod
    def lengths(tokens: Tensor) -> Tensor:
        """(n, s) -> (n,) int64: tokens of each text up to its end mark, which is the largest id."""
        return (tokens == EOT).int().argmax(dim=1) + 1

    def encode(self, text: str) -> list[int]:
        """Return the ids of the whole text, without marks and without a cut."""
        return self._tokens(text, limit=None)

    def _tokens(self, text: str, limit: int | None) -> list[int]:
        tokens: list[int] = []
        for word in _words(clean(text)):
            tokens.extend(self._word_ids(word))
            if limit is not None and len(tokens) >= limit:
                return tokens[:limit]
        return tokens

    def _word_ids(self, word: str) -> Sequence[int]:
        if word in _SPECIAL:
            return (_SPECIAL[word],)
        data = word.encode("utf-8")
        return self._cached_word(data) if len(data) <= _LONGEST_CACHED_WORD else self._encode_word(data)

    def _encode_word(self, data: bytes) -> tuple[int, ...]:
        ids = [self._byte_ids[byte] for byte in data]
        ids[-1] += _BYTES
        return tuple(merge(ids, self._merges))


@lru_cache(maxsize=1)
def default_tokenizer() -> Tokenizer:
    """Return the one shared tokenizer with CLIP's 77 positions."""
    return Tokenizer()


@lru_cache(maxsize=1)
def vocabulary() -> Mapping[str, int]:
    """All tokens as transformers writes them, with their ids."""
    table = _merge_table()
    symbols = [table.symbol(number) for number in range(SOT)]
    return {symbol: number for number, symbol in enumerate((*symbols, *MARKS))}


def vocabulary_files() -> dict[str, str]:
    """The files by name that transformers reads this tokenizer from."""
    merges = "\n".join(["#version: 0.2", *_merge_table().lines, ""])
    return {"vocab.json": json.dumps(vocabulary(), ensure_ascii=False), "merges.txt": merges}


def clean(text: str) -> str:
    """Repair mis-decoded text, resolve HTML entities (twice: some are escaped twice), squeeze white space, lower."""
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split()).lower()


def merge(ids: Sequence[int], merges: MergeTable) -> list[int]:
    """Join neighbours, the earliest learned pair first and from left to right, until no pair is in the table.

    A heap over a linked list: n log n, where rescanning the word after each merge would take n squared.
    The id of a merged pair is its rank, because the table numbers them in the order in which they were learned.
    """
    symbols = list(ids)
    count = len(symbols)
    following = list(range(1, count + 1))
    preceding = list(range(-1, count - 1))
    gone = -1
    heap = [(merged, i) for i, pair in enumerate(pairwise(symbols)) if (merged := merges.get(pair)) is not None]
    heapq.heapify(heap)

    def offer(left: int, right: int) -> None:
        merged = merges.get((symbols[left], symbols[right]))
        if merged is not None:
            heapq.heappush(heap, (merged, left))

    while heap:
        merged, left = heapq.heappop(heap)
        right = following[left]
        # An entry is stale once either neighbour has been merged into something else.
        if right == count or merges.get((symbols[left], symbols[right])) != merged:
            continue
        symbols[left], symbols[right] = merged, gone
        following[left] = following[right]
        if following[left] < count:
            preceding[following[left]] = left
            offer(left, following[left])
        if preceding[left] >= 0:
            offer(preceding[left], left)
    return [symbol for symbol in symbols if symbol != gone]


def _words(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        yield match.group()


def _byte_alphabet() -> dict[int, str]:
    """Return how the merge table writes each of the 256 bytes, in the order of their ids.

    A byte that Latin-1 prints stands for itself and comes first; the 68 others are written as U+0100 and onwards.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(_BYTES)) - set(printable))
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + i) for i, byte in enumerate(others)}


class _Merges:
    """CLIP's merges by pair of ids, looked up as they are written: a table of pairs takes far longer to make."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Lines of two symbols each, in the order in which they were learned."""
        alphabet = list(_byte_alphabet().values())
        self._first = [*alphabet, *(symbol + _WORD_END for symbol in alphabet)]
        self.lines = lines
        self._ids = {line: i for i, line in enumerate(lines, start=_FIRST_MERGE)}

    def get(self, pair: tuple[int, int]) -> int | None:
        """The id of the joined symbol."""
        return self._ids.get(f"{self.symbol(pair[0])} {self.symbol(pair[1])}")

    def symbol(self, id: int) -> str:
        """How a token is written; `</w>` ends a word."""
        return self._first[id] if id < _FIRST_MERGE else self.lines[id - _FIRST_MERGE].replace(" ", "", 1)


@lru_cache(maxsize=1)
def _merge_table() -> _Merges:
    """Read CLIP's merges from the package data, of which the file holds five times as many."""
    with resources.files("clip_model").joinpath("data", "bpe_simple_vocab_16e6.txt.gz").open("rb") as file:
        text = gzip.GzipFile(fileobj=file).read(_MERGES_BYTES).decode("utf-8", errors="ignore")
    return _Merges(text.split("\n")[1 : 1 + _MERGES])  # the first line is a version
