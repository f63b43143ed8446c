"""CLIP: an image tower and a text tower with one embedding space (Radford et al. 2021, arXiv 2103.00020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from clip_model.config import CLIP_TEXTS, CLIPConfig
from clip_model.towers.roberta import RobertaTower
from clip_model.towers.sentence import SentenceTower
from clip_model.towers.siglip import SiglipTextTower
from clip_model.towers.text import TextTransformer
from clip_model.towers.vision import build_visual


class CLIP(TextTransformer):
    """Both towers and the temperature.

    It is a text tower that also has `visual`, because OpenAI's checkpoints keep the text tower's parameters at the
    root: this way every name is theirs, and their state dicts load strictly without renaming. A bidirectional text
    tower, which none of theirs has, stands in `text` instead, SigLIP's in `siglip_text`, a RoBERTa in `roberta_text`.

    Attributes:
        tokenizer_data: what the tokenizer of a SigLIP or a model with a RoBERTa is made of, see
            `preprocessing/pieces.py`; None in other models.
    """

    def __init__(self, config: CLIPConfig) -> None:
        """Build with random weights; see `clip_model.checkpoint.load_model` for trained ones."""
        kind = config.text.kind
        if kind in CLIP_TEXTS:
            super().__init__(config)
        else:
            nn.Module.__init__(self)  # without the paper's tower
        self.text: SentenceTower | None = SentenceTower(config) if kind == "sentence" else None
        self.siglip_text: SiglipTextTower | None = SiglipTextTower(config) if kind == "siglip" else None
        self.roberta_text = RobertaTower(config) if kind.startswith("roberta-") else None
        self.tokenizer_data: bytes | None = None
        self.config = config
        self.visual = build_visual(config)
        # Section 2.5 of the paper: the temperature starts at 0.07, held as the logarithm of its inverse.
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        if kind == "siglip":  # sigmoid(scale * cosine + bias) is how likely a pair belongs together
            self.logit_bias = nn.Parameter(torch.tensor(-10.0))

    def encode_image(self, pixels: Tensor) -> Tensor:
        """Features of images.

        Args:
            pixels: (b, 3, h, w) float, normalised with the configuration's mean and deviation.

        Returns:
            (b, e) float, raw features.
        """
        features: Tensor = self.visual(pixels)
        return features

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Features of tokenised texts.

        Args:
            tokens: (b, s) int64 of the tokenizer that `tokenizer_of` gives for the configuration.

        Returns:
            (b, e) float, raw features.

        Raises:
            ValueError: when there are more positions than the context has.
        """
        other = self.text_tower
        features: Tensor = super().encode_text(tokens) if other is self else other(tokens)
        return features

    @property
    def text_tower(self) -> nn.Module:
        """What embeds texts: the model itself, where it is the paper's."""
        return self.text or self.siglip_text or self.roberta_text or self

    def forward(self, pixels: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both embeddings and the scale of their cosines.

        Args:
            pixels: (b, 3, h, w) float, normalised.
            tokens: (b, s) int64.

        Returns:
            image (b, e) and text (b, e), unit length, and the inverse temperature ().
        """
        image = nn.functional.normalize(self.encode_image(pixels), dim=-1)
        text = nn.functional.normalize(self.encode_text(tokens), dim=-1)
        return image, text, self.logit_scale.exp()
