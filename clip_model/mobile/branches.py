"""Convolutions in parallel branches, each with a batch norm of its own, whose sum is one convolution once trained.

Vasu et al. 2022 (MobileOne, arXiv 2206.04040), section 3.2; Ding et al. 2022 (RepLKNet, arXiv 2203.06717) for the large
kernel. Names of parameters are those that timm gives them, in which checkpoints are published.

Legend: b batch, c channels, h w grid.
"""

from __future__ import annotations

from torch import Tensor, nn

from clip_model.mobile.kinds import squeezed


class Branch(nn.Module):
    """A convolution without bias and a batch norm."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        """`kernel` and `stride` in pixels; the grid keeps its size at a stride of 1."""
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, channels_out, ceil(h / stride), ceil(w / stride))."""
        normed: Tensor = self.bn(self.conv(x))
        return normed


class SqueezeExcite(nn.Module):
    """Channels weighted by what their means say (Hu et al. 2018, arXiv 1709.01507)."""

    def __init__(self, channels: int, inside: int) -> None:
        """`channels` in and out, `inside` between the two layers."""
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, inside, 1), nn.Conv2d(inside, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same shape."""
        means = x.mean(dim=(2, 3), keepdim=True)  # [b, c, 1, 1]
        weighted: Tensor = x * self.fc2(self.fc1(means).relu()).sigmoid()
        return weighted


class Branched(nn.Module):
    """The sum of a convolution, one of single pixels and the input itself, each normalised; then an activation.

    Attributes:
        kernel: side in pixels.
        groups: of channels that are convolved apart.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, groups: int = 1,
        convolves: bool = True, scales: bool = True, squeezes: bool = False, activates: bool = True,
    ) -> None:  # fmt: skip
        """Which of the branches there are; the input itself is one where its shape is that of the output.

        `scales` is of single pixels, and none of those where the kernel is one.
        """
        super().__init__()
        self.kernel, self.groups = kernel, groups
        keeps, sizes = channels_in == channels_out and stride == 1, (stride, groups)
        self.identity = nn.BatchNorm2d(channels_in) if keeps else None
        self.conv_kxk = nn.ModuleList([Branch(channels_in, channels_out, kernel, *sizes)] if convolves else [])
        self.conv_scale = Branch(channels_in, channels_out, 1, *sizes) if scales and kernel > 1 else None
        inside = squeezed(channels_out, 16, 1)
        self.se = SqueezeExcite(channels_out, inside) if squeezes else nn.Identity()
        self.act = nn.GELU() if activates else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, channels_out, ceil(h / stride), ceil(w / stride))."""
        branches = [*self.conv_kxk, *(part for part in (self.conv_scale, self.identity) if part is not None)]
        total: Tensor = branches[0](x)
        for branch in branches[1:]:
            total = total + branch(x)
        out: Tensor = self.act(self.se(total))
        return out


class LargeKernel(nn.Module):
    """Seven pixels and three, depthwise at stride 2, added up: how a stage begins."""

    def __init__(self, channels: int, squeezes: bool) -> None:
        """`channels` in, twice as many out."""
        super().__init__()
        out = 2 * channels
        self.groups = channels
        self.large_conv = Branch(channels, out, 7, 2, channels)
        self.small_conv = Branch(channels, out, 3, 2, channels)
        self.se = SqueezeExcite(out, squeezed(out, 4, 8)) if squeezes else nn.Identity()
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, 2c, ceil(h / 2), ceil(w / 2))."""
        out: Tensor = self.act(self.se(self.large_conv(x) + self.small_conv(x)))
        return out


class ConvStem(nn.Module):
    """MobileCLIP-B's patches: three convolutions whose patches touch (Xiao et al. 2021, arXiv 2106.14881, section 5).

    Attributes:
        kernel_size: height and width of what one position is made of, in pixels.
    """

    kernel_size = (16, 16)

    def __init__(self, width: int) -> None:
        """`width` channels out, a quarter of them inside."""
        super().__init__()
        inside = width // 4
        self.conv1, self.bn1 = nn.Conv2d(3, inside, 4, stride=4, bias=False), nn.BatchNorm2d(inside)
        self.conv2, self.bn2 = nn.Conv2d(inside, inside, 2, stride=2, bias=False), nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, width, 2, stride=2)
        self.act = nn.GELU()

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) -> (b, width, h / 16, w / 16); what fills no patch is not seen."""
        x = self.act(self.bn1(self.conv1(images)))
        x = self.act(self.bn2(self.conv2(x)))
        grid: Tensor = self.conv3(x)
        return grid
