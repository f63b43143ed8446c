"""What tells a model's embeddings from any other's: its weights file, and how texts and pictures reach the network."""

from __future__ import annotations

import hashlib

PREPARATION = 1
"""Grows when the tokenizer or the normalisation of pictures makes something else of the same text or picture: vectors
of before and after do not compare. Of 1, the fingerprint is that of the file alone, as libraries have it."""


def fingerprint_of(weights: str) -> str:
    """The fingerprint of the weights file that has this SHA-256 (in hexadecimal, as the fingerprint)."""
    return weights if PREPARATION == 1 else hashlib.sha256(f"{weights} {PREPARATION}".encode()).hexdigest()
