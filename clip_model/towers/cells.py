"""Features of each cell of an image tower's last grid, in the shared space: where in a picture something is.

A tower sums its grid up and maps the sum into the shared space; here each cell is mapped as if it were the whole grid.
So no gradient is needed, and a cell's cosine with a text says how much the text is there.

    EfficientNetLite   the head of each cell, in place of the head of the pooled grid; of a FastViT likewise
    ModifiedResNet     values and output of the attention pooling, without its queries and keys
    VisionTransformer  the last block with values in place of attention, then as the class token is mapped
    SiglipImageTower   what its probe answers when it asks one position alone

    Source: Zhou et al. 2022, "Extract free dense labels from CLIP" (arXiv 2112.01071), section 3.2, for the second and
    the third.

Legend: b batch, c channels, h w grid, s positions, d channels of a position, e dimension of the shared space.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clip_model.mobile.fastvit import FastViT
from clip_model.towers.efficientnet import EfficientNetLite
from clip_model.towers.siglip import SiglipImageTower
from clip_model.towers.transformer import ResidualAttentionBlock
from clip_model.towers.vision import ImageTower, ModifiedResNet, VisionTransformer


def cell_features(tower: ImageTower, images: Tensor) -> Tensor:
    """Features of cells.

    Args:
        tower: batch norms folded or not.
        images: (b, 3, height, width) float, normalised.

    Returns:
        (b, h, w, e) float, raw features.
    """
    if isinstance(tower, EfficientNetLite | FastViT):
        grid = tower.top(tower.trunk(images)) if isinstance(tower, EfficientNetLite) else tower.grid(images)
        features: Tensor = tower.head(grid.permute(0, 2, 3, 1))  # [b, h, w, e]
        return features
    if isinstance(tower, SiglipImageTower):
        return _of_siglip(tower, images)
    return _of_resnet(tower, images) if isinstance(tower, ModifiedResNet) else _of_transformer(tower, images)


def _of_resnet(tower: ModifiedResNet, images: Tensor) -> Tensor:
    pool = tower.attnpool
    x = tower.grid(images).permute(0, 2, 3, 1)  # [b, h, w, c]
    places = pool.positional_embedding[1:].to(x.dtype).view(*x.shape[1:3], -1)
    features: Tensor = pool.c_proj(pool.v_proj(x + places))
    return features


def _of_siglip(tower: SiglipImageTower, images: Tensor) -> Tensor:
    x = tower.positions(images)  # [b, s, d]
    features = tower.head(x.flatten(0, 1).unsqueeze(1)).view(x.shape)
    return torch.unflatten(features, 1, _grid_of(tower, images))


def _grid_of(tower: VisionTransformer | SiglipImageTower, images: Tensor) -> tuple[int, int]:
    """Rows and columns of patches."""
    side = tower.conv1.kernel_size[0]
    return images.shape[2] // side, images.shape[3] // side


def _of_transformer(tower: VisionTransformer, images: Tensor) -> Tensor:
    x = tower.positions(images)
    *blocks, last = tower.transformer.resblocks
    for block in blocks:
        x = block(x, False)
    assert isinstance(last, ResidualAttentionBlock)
    values = last.attn.projected(last.ln_1(x)).chunk(3, dim=-1)[2]
    x = x + last.attn.out_proj(values)
    x = x + last.mlp(last.ln_2(x))
    features = tower.projected(x[:, 1:])  # [b, h*w, e]
    return torch.unflatten(features, 1, _grid_of(tower, images))
